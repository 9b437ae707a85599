// Where the products of attention's gradients in f32 take their numbers from.
// requires: clamp_token, p.heads, HEAD4, q, dout, p.kv_heads, k, v

const SCORES = 0u;            // q·kᵀ
const WEIGHT_GRADIENTS = 1u;  // do·vᵀ

// Vec4 column c of the query's row in product `what`.
fn of_query(what: u32, query: u32, head: u32, c: u32) -> vec4f {
  let at = (clamp_token(query) * p.heads + head) * HEAD4 + c;
  if (what == SCORES) { return q[at]; }
  return dout[at];
}

// Vec4 column c of the key's row in product `what`.
fn of_key(what: u32, key: u32, kv_head: u32, c: u32) -> vec4f {
  let at = (clamp_token(key) * p.kv_heads + kv_head) * HEAD4 + c;
  if (what == SCORES) { return k[at]; }
  return v[at];
}
