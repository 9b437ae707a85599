// c + the products of four n of a row with four columns of their rows: one fused multiply-add each, where a matrix
// times a vector and a sum take five.

fn mac(c: vec4f, v: vec4f, w0: vec4f, w1: vec4f, w2: vec4f, w3: vec4f) -> vec4f {
  return fma(w3, vec4f(v.w), fma(w2, vec4f(v.z), fma(w1, vec4f(v.y), fma(w0, vec4f(v.x), c))));
}
