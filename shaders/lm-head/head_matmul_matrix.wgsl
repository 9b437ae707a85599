// head_matmul on subgroup matrices: logits[m, first + n] = Σk x[m, k]·table[n, k], table in bf16 or f16. Workgroups
// whose tiles lie on the same rows of the table are neighbors.
// requires: N, SUBGROUPS_N, M, SUBGROUPS_M, SUBGROUP_SIZE, K from matrixHead
// requires: Right, load_right_by_columns, put_left, put_right, Sum from shared/subgroup_matrix_by_{flag,order}.wgsl
// requires: store_sum, load_left from shared/subgroup_matrix_by_{flag,order}.wgsl

struct Params { rows: u32, count: u32, width: u32, first: u32, stride: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> table: array<vec4u>;
@group(0) @binding(3) var<storage, read> row_scales: array<f32>;
@group(0) @binding(4) var<storage, read_write> logits: array<f32>;

#include "shared/matrix_right_by_columns.wgsl"
#include "lm-head/matrix_main.wgsl"
#include "shared/row_scale_inverse.wgsl"
#include "shared/table_decode.wgsl"

// What a thread brings of a chunk beside its quads: groups of eight values of the table.
const EIGHTS = TILE_N * 4u / THREADS;

fn target_of(group: vec3u) -> Target { return Target(group.x * TILE_M, group.y * TILE_N, 0u, p.width, 0u); }

fn inverse_of(m: u32) -> f32 { return inverse_scale(m); }

struct Fetched { x: array<vec4f, QUADS>, table: array<vec4u, EIGHTS> }

fn fetch(of_group: Target, k: u32, lane: u32) -> Fetched {
  var f: Fetched;
  for (var j = 0u; j < QUADS; j++) {
    let i = lane + j * THREADS;
    let m = of_group.m + left_row(i);
    if (m < p.rows) { f.x[j] = x[(m * p.width + k) / 4u + i % 8u]; }
  }
  for (var j = 0u; j < EIGHTS; j++) {
    let i = lane + j * THREADS;
    let n = of_group.n + scattered(i / 4u);
    if (n < p.count) { f.table[j] = table[(n * p.width + k) / 8u + i % 4u]; }
  }
  return f;
}

fn put(f: ptr<function, Fetched>, inverse: ptr<function, array<f32, QUADS>>, lane: u32) {
  for (var j = 0u; j < QUADS; j++) { put_quad(lane + j * THREADS, (*f).x[j] * (*inverse)[j]); }
  for (var j = 0u; j < EIGHTS; j++) {
    let i = lane + j * THREADS;
    let v = (*f).table[j];
    let at = scattered(i / 4u) * STRIDE_RIGHT + (i % 4u) * 8u;
    put_eight(i, at, vec4f(halves(v.x), halves(v.y)), vec4f(halves(v.z), halves(v.w)));
  }
}

fn finished(to: Target, rows: vec4u, columns: vec4u, sums: vec4f) -> vec4f { return sums * scales_of(rows); }

fn store(to: Target, m: u32, n: u32, value: f32) {
  if (m < p.rows && n < p.count) { logits[m * p.stride + p.first + n] = value; }
}
