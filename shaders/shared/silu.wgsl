// silu(g) = g/(1 + e^−g).

fn silu(g: vec4f) -> vec4f {
  // e^−|g| never overflows, where e^−g would.
  let e = exp(-abs(g));
  let sigmoid = select(e, vec4f(1.0), g >= vec4f()) / (1.0 + e);
  return g * sigmoid;
}
