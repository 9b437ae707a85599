// head_matmul_grad on subgroup matrices: partial[slice, m, k] = Σn dlogits[m, first + n]·table[n, k], table in bf16
// or f16. The columns of its tile are k, and what it sums over is n. All rows are divided by one power of two, of the
// size of the loss's gradient with respect to one logit, which bounds every element.
// requires: N, SUBGROUPS_N, M, SUBGROUPS_M, SUBGROUP_SIZE, K from matrixHead
// requires: Right, load_right_by_rows, put_left, put_right, Sum from shared/subgroup_matrix_by_{flag,order}.wgsl
// requires: store_sum, load_left from shared/subgroup_matrix_by_{flag,order}.wgsl

struct Params {
  rows: u32, count: u32, width: u32, first: u32, stride: u32, first_slice: u32, slice_count: u32, scale: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> dlogits: array<f32>;
@group(0) @binding(2) var<storage, read> table: array<vec4u>;
@group(0) @binding(3) var<storage, read_write> partial: array<f32>;

#include "shared/matrix_right_by_rows.wgsl"
#include "lm-head/matrix_main.wgsl"
#include "shared/table_decode.wgsl"

// What a thread brings of a chunk beside its quads: groups of eight values of the table.
const EIGHTS = CHUNK * TILE_N / 8u / THREADS;

fn target_of(group: vec3u) -> Target {
  let begin = group.z * p.slice_count;
  let end = min(begin + p.slice_count, p.count);
  return Target(group.y * TILE_M, group.x * TILE_N, begin, end, p.first_slice + group.z);
}

fn inverse_of(m: u32) -> f32 { return 1.0 / p.scale; }

fn dlogit(m: u32, n: u32, end: u32) -> f32 {
  if (m < p.rows && n < end) { return dlogits[m * p.stride + p.first + n]; }
  return 0.0;
}

struct Fetched { y: array<vec4f, QUADS>, table: array<vec4u, EIGHTS> }

fn fetch(of_group: Target, first_n: u32, lane: u32) -> Fetched {
  var f: Fetched;
  let end = of_group.end;
  for (var j = 0u; j < QUADS; j++) {
    let i = lane + j * THREADS;
    let m = of_group.m + left_row(i);
    let n = first_n + (i % 8u) * 4u;
    f.y[j] = vec4f(dlogit(m, n, end), dlogit(m, n + 1u, end), dlogit(m, n + 2u, end), dlogit(m, n + 3u, end));
  }
  for (var j = 0u; j < EIGHTS; j++) {
    let i = lane + j * THREADS;
    let n = first_n + i / (TILE_N / 8u);
    let k = of_group.n + (i % (TILE_N / 8u)) * 8u;
    if (n < end && k < p.width) { f.table[j] = table[(n * p.width + k) / 8u]; }
  }
  return f;
}

fn put(f: ptr<function, Fetched>, inverse: ptr<function, array<f32, QUADS>>, lane: u32) {
  for (var j = 0u; j < QUADS; j++) { put_quad(lane + j * THREADS, (*f).y[j] * (*inverse)[j]); }
  for (var j = 0u; j < EIGHTS; j++) {
    let i = lane + j * THREADS;
    let v = (*f).table[j];
    let at = (i / (TILE_N / 8u)) * STRIDE_RIGHT + (i % (TILE_N / 8u)) * 8u;
    put_eight(i, at, vec4f(halves(v.x), halves(v.y)), vec4f(halves(v.z), halves(v.w)));
  }
}

fn finished(to: Target, rows: vec4u, columns: vec4u, sums: vec4f) -> vec4f { return sums * p.scale; }

fn store(to: Target, m: u32, k: u32, value: f32) {
  if (m < p.rows && k < p.width) { partial[(to.slice * p.rows + m) * p.width + k] = value; }
}
