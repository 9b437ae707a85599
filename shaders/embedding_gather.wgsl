// y[t] = table[ids[t] − row_begin] for the tokens whose id this part of the table holds; other rows of y stay as they
// are. A thread decodes four neighboring values.

struct Params { tokens: u32, width4: u32, row_begin: u32, row_count: u32 }

// 0: bf16, 1: f16, both packed in pairs, low half first; 2: f32.
override FORMAT: u32;

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read> table: array<vec2u>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;

const THREADS = 256u;

fn decode(at: u32) -> vec4f {
  if (FORMAT == 2u) { return bitcast<vec4f>(vec4u(table[2u * at], table[2u * at + 1u])); }
  let pairs = table[at];
  if (FORMAT == 1u) { return vec4f(unpack2x16float(pairs.x), unpack2x16float(pairs.y)); }
  return bitcast<vec4f>(vec4u(pairs.x << 16u, pairs.x & 0xffff0000u, pairs.y << 16u, pairs.y & 0xffff0000u));
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * THREADS + lane;
  let token = i / p.width4;
  if (token >= p.tokens) { return; }
  // An id below row_begin wraps round to a large number.
  let row = ids[token] - p.row_begin;
  if (row >= p.row_count) { return; }
  y[i] = decode(row * p.width4 + i % p.width4);
}
