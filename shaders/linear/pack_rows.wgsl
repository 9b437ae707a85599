// Packs x [rows, width], number `begin` of each `stride` numbers on, into f16 tiles of M × K, left matrices of a
// product: the `count` tiles from `first` on in each row of `across` tiles. Rows are divided by row_scale's powers of
// two; what lies past either end of x becomes zero.
//
// Four numbers a thread; a row of tiles for each workgroup_id.y.
// requires: M, K from matrixHead

struct Params { rows: u32, width: u32, stride: u32, begin: u32, first: u32, count: u32, across: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> row_scales: array<f32>;
@group(0) @binding(3) var<storage, read_write> tiles: array<vec4<f16>>;

#include "shared/row_scale_inverse.wgsl"

const THREADS = 128u;
const QUADS = u32(M) * u32(K) / 4u;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = group.x * THREADS + lane;
  if (i >= p.count * QUADS) { return; }
  let m = group.y * u32(M) + (i % QUADS) / (u32(K) / 4u);
  let k = (i / QUADS) * u32(K) + (i % (u32(K) / 4u)) * 4u;
  var v = vec4f();
  if (m < p.rows) {
    let at = m * p.stride + p.begin + k;
    for (var j = 0u; j < 4u; j++) {
      if (k + j < p.width) { v[j] = x[at + j]; }
    }
  }
  tiles[(group.y * p.across + p.first) * QUADS + i] = vec4<f16>(v * inverse_scale(m));
}
