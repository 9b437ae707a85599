// c + the products of four k of a row with four k of four columns: one fused multiply-add each, where a dot product
// and a sum take five.

fn mac(c: vec4f, v: vec4f, w0: vec4f, w1: vec4f, w2: vec4f, w3: vec4f) -> vec4f {
  return fma(vec4f(w0.w, w1.w, w2.w, w3.w), vec4f(v.w), fma(vec4f(w0.z, w1.z, w2.z, w3.z), vec4f(v.z),
    fma(vec4f(w0.y, w1.y, w2.y, w3.y), vec4f(v.y), fma(vec4f(w0.x, w1.x, w2.x, w3.x), vec4f(v.x), c))));
}
