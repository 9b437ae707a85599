// Rotary embedding of queries and keys in place, half-rotation: (x1, x2) → (x1·c − x2·s, x2·c + x1·s), x split at
// head_dim/2. A thread rotates two neighboring pairs. direction −1 rotates back, which is also the gradient: there
// the keys may still lie in shares, each written by other workgroups of attention's gradient, and so do the values,
// which are not rotated; both are added up here in the order of the shares.
// Reference: J. Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding", arXiv:2104.09864.

struct Params {
  tokens: u32, heads: u32, kv_heads: u32,
  direction: f32,
  // Where keys and values begin in x, in vec2.
  k_at: u32, v_at: u32,
  // 0: keys and values lie in x, each in one piece.
  shares: u32,
}

// head_dim / 4: vec2 per half of a head.
override HALF2: u32;

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> positions: array<u32>;
@group(0) @binding(2) var<storage, read> table: array<vec4f>;
// [shares, tokens, kv_heads, head_dim] each.
@group(0) @binding(3) var<storage, read> k_shares: array<vec2f>;
@group(0) @binding(4) var<storage, read> v_shares: array<vec2f>;
@group(0) @binding(5) var<storage, read_write> x: array<vec2f>;

const THREADS = 256u;

// (cos, sin, cos, sin) of two pairs.
fn rotation(token: u32, pair: u32) -> vec4f { return table[positions[token] * HALF2 + pair]; }

fn rotate(first: u32, row: u32, token: u32, pair: u32) {
  let c = rotation(token, pair).xz;
  let s = rotation(token, pair).yw * p.direction;
  let at = first + row * 2u * HALF2 + pair;
  let x1 = x[at];
  let x2 = x[at + HALF2];
  x[at] = x1 * c - x2 * s;
  x[at + HALF2] = x2 * c + x1 * s;
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * THREADS + lane;
  let row = i / HALF2;
  let pair = i % HALF2;
  let queries = p.tokens * p.heads;
  let keys = p.tokens * p.kv_heads;
  if (row < queries) {
    rotate(0u, row, row / p.heads, pair);
    return;
  }
  let of_values = row >= queries + keys;
  let key = row - queries - select(0u, keys, of_values);
  if (key >= keys) { return; }
  if (p.shares == 0u) {
    if (!of_values) { rotate(p.k_at, key, key / p.kv_heads, pair); }
    return;
  }
  let at = key * 2u * HALF2 + pair;
  let stride = keys * 2u * HALF2;
  var x1 = vec2f();
  var x2 = vec2f();
  if (of_values) {
    for (var s = 0u; s < p.shares; s++) {
      x1 += v_shares[s * stride + at];
      x2 += v_shares[s * stride + at + HALF2];
    }
    x[p.v_at + at] = x1;
    x[p.v_at + at + HALF2] = x2;
    return;
  }
  for (var s = 0u; s < p.shares; s++) {
    x1 += k_shares[s * stride + at];
    x2 += k_shares[s * stride + at + HALF2];
  }
  let c = rotation(key / p.kv_heads, pair).xz;
  let s = rotation(key / p.kv_heads, pair).yw * p.direction;
  x[p.k_at + at] = x1 * c - x2 * s;
  x[p.k_at + at + HALF2] = x2 * c + x1 * s;
}
