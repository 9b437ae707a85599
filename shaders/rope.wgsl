// Rotary embedding in place, half-rotation: (x1, x2) → (x1·c − x2·s, x2·c + x1·s), x split at head_dim/2.
// A thread rotates two neighboring pairs. direction −1 rotates back, which is also the gradient.
// Reference: J. Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding", arXiv:2104.09864.

struct Params { tokens: u32, heads: u32, direction: f32 }

// head_dim / 4: vec2 per half of a head.
override HALF2: u32;

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> positions: array<u32>;
@group(0) @binding(2) var<storage, read> table: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> x: array<vec2f>;

const THREADS = 256u;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * THREADS + lane;
  let row = i / HALF2;
  if (row >= p.tokens * p.heads) { return; }
  let pair = i % HALF2;
  // (cos, sin, cos, sin) of the two pairs.
  let rotation = table[positions[row / p.heads] * HALF2 + pair];
  let c = rotation.xz;
  let s = rotation.yw * p.direction;
  let at = row * 2u * HALF2 + pair;
  let x1 = x[at];
  let x2 = x[at + HALF2];
  x[at] = x1 * c - x2 * s;
  x[at + HALF2] = x2 * c + x1 * s;
}
