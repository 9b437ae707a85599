// head_matmul for 1 to 8 rows, as decoding has them: logits[m, first + n] = Σk x[m, k]·table[n, k]. Bound by reading
// the table: 64 of its rows a workgroup, four at a time by 16 threads that share the depth, so that x is read once
// for four.

struct Params { count: u32, width: u32, first: u32, stride: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> table: array<vec4u>;
@group(0) @binding(3) var<storage, read_write> logits: array<f32>;

// Rows of x, at most 8: a constant, so that their sums stay in registers.
override ROWS: u32 = 1u;

// Per thread: its part of four logits.
var<workgroup> partial: array<vec4f, 256>;

// Word quad i of the depth of table row n: eight values, or four and four zeros where they are f32.
fn weights(n: u32, i: u32, quads: u32) -> mat2x4f {
  if (n >= p.count) { return mat2x4f(); }
  let v = table[n * quads + i];
  if (FORMAT == 2u) { return mat2x4f(bitcast<vec4f>(v), vec4f()); }
  return mat2x4f(vec4f(halves(v.x), halves(v.y)), vec4f(halves(v.z), halves(v.w)));
}

fn dots(a: vec4f, w: array<mat2x4f, 4>, half: u32) -> vec4f {
  return vec4f(dot(a, w[0][half]), dot(a, w[1][half]), dot(a, w[2][half]), dot(a, w[3][half]));
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first_n = group.x * 64u;
  let n = first_n + 4u * (lane / 16u);
  let per_quad = select(2u, 1u, FORMAT == 2u);
  let quads = p.width / (4u * per_quad);
  var sums: array<vec4f, 8>;
  for (var i = lane % 16u; i < quads; i += 16u) {
    let w = array(
      weights(n, i, quads), weights(n + 1u, i, quads), weights(n + 2u, i, quads), weights(n + 3u, i, quads));
    for (var m = 0u; m < ROWS; m++) {
      let at = m * p.width / 4u + i * per_quad;
      sums[m] += dots(x[at], w, 0u);
      if (FORMAT != 2u) { sums[m] += dots(x[at + 1u], w, 1u); }
    }
  }
  for (var m = 0u; m < ROWS; m++) {
    workgroupBarrier();
    partial[lane] = sums[m];
    workgroupBarrier();
    if (lane < 64u && first_n + lane < p.count) {
      var total = 0.0;
      for (var j = 0u; j < 16u; j++) { total += partial[16u * (lane / 4u) + j][lane % 4u]; }
      logits[m * p.stride + p.first + first_n + lane] = total;
    }
  }
}

#include "shared/table_decode.wgsl"
