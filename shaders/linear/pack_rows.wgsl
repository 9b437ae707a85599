// Packs up to six matrices x [rows, width] into f16 tiles of M × K, left matrices of a product: of each, number
// `begin` of each `stride` numbers on, into `count` tiles of each row of `across` tiles. Rows are divided by
// row_scale's powers of two; what lies past either end of x becomes zero.
//
// Four numbers a thread; along workgroup_id.x the matrices, each with its tiles; a row of tiles for each
// workgroup_id.y.
// requires: M, K from matrixHead

struct Part {
  width: u32, stride: u32, begin: u32,
  // Where the first tile goes, in quads, and where the scales begin.
  count: u32, across: u32, tiles_at: u32, scales_at: u32,
  // Workgroups of a row of tiles.
  groups: u32,
}

struct Params { parts: array<Part, 6>, rows: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x0: array<f32>;
@group(0) @binding(2) var<storage, read> x1: array<f32>;
@group(0) @binding(3) var<storage, read> x2: array<f32>;
// What the last three parts are in.
@group(0) @binding(4) var<storage, read> narrow: array<f32>;
@group(0) @binding(5) var<storage, read> row_scales: array<f32>;
@group(0) @binding(6) var<storage, read_write> tiles: array<vec4<f16>>;

#include "shared/row_scale_inverse.wgsl"

const THREADS = 128u;
const QUADS = u32(M) * u32(K) / 4u;

fn x_of(part: u32, i: u32) -> f32 {
  if (part == 0u) { return x0[i]; }
  if (part == 1u) { return x1[i]; }
  if (part == 2u) { return x2[i]; }
  return narrow[i];
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  var part = 0u;
  var job = group.x;
  // Of constant length, so that the loads of all parts go out at once.
  for (var i = 0u; i < 5u; i++) {
    if (part == i && job >= p.parts[i].groups) { job -= p.parts[i].groups; part++; }
  }
  let i = job * THREADS + lane;
  if (i >= p.parts[part].count * QUADS) { return; }
  let m = group.y * u32(M) + (i % QUADS) / (u32(K) / 4u);
  let k = (i / QUADS) * u32(K) + (i % (u32(K) / 4u)) * 4u;
  var v = vec4f();
  if (m < p.rows) {
    let at = m * p.parts[part].stride + p.parts[part].begin + k;
    for (var j = 0u; j < 4u; j++) {
      if (k + j < p.parts[part].width) { v[j] = x_of(part, at + j); }
    }
  }
  let inverse = inverse_scale_from(p.parts[part].scales_at, m);
  tiles[p.parts[part].tiles_at + group.y * p.parts[part].across * QUADS + i] = vec4<f16>(v * inverse);
}
