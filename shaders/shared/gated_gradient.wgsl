// The gradients of silu(g)·up, given that of the product: d·up·σ(g)·(1 + g·(1 − σ(g))) for g, d·g·σ(g) for up.

struct GatedGradient { gate: vec4f, up: vec4f }

fn gated_gradient(g: vec4f, up: vec4f, dout: vec4f) -> GatedGradient {
  // σ and 1 − σ each from e^−|g|: no overflow, and no cancellation in 1 − σ.
  let e = exp(-abs(g));
  let positive = g >= vec4f();
  let sigmoid = select(e, vec4f(1.0), positive) / (1.0 + e);
  let rest = select(vec4f(1.0), e, positive) / (1.0 + e);
  let d = dout * sigmoid;
  return GatedGradient(d * up * (1.0 + g * rest), d * g);
}
