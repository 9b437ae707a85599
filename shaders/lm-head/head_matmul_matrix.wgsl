// head_matmul on subgroup matrices: logits[m, first + n] = Σk x[m, k]·table[n, k], table in bf16 or f16.
//
// Built as nf4_matmul_matrix is; the table's values become f16 on their way into the tile.
// Before this text stands what stands before nf4_matmul_matrix; beside it matrix_left, row_scale_inverse and table_decode.

struct Params { rows: u32, columns: u32, depth: u32, first: u32, stride: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> table: array<vec4u>;
@group(0) @binding(3) var<storage, read> row_scales: array<f32>;
@group(0) @binding(4) var<storage, read_write> logits: array<f32>;

const DEPTH = 32u;
const TILE_N = 4u * u32(N) * SUBGROUPS_N;
// Halves between rows of a tile, 32 in use; 80 bytes keep sixteen rows off each other's banks.
const STRIDE_RIGHT = 40u;
const RIGHT = TILE_N * STRIDE_RIGHT;
// What a thread brings of a chunk beside its quads: groups of eight values of the table.
const EIGHTS = TILE_N * 4u / THREADS;

var<workgroup> sums: array<f32, u32(M) * u32(N) * SUBGROUPS_M * SUBGROUPS_N>;

struct Fetched { x: array<vec4f, QUADS>, table: array<vec4u, EIGHTS> }

fn fetch(first_m: u32, first_n: u32, k: u32, lane: u32) -> Fetched {
  var f: Fetched;
  for (var j = 0u; j < QUADS; j++) {
    let i = lane + j * THREADS;
    let m = first_m + left_row(i);
    if (m < p.rows) { f.x[j] = x[(m * p.depth + k) / 4u + i % 8u]; }
  }
  for (var j = 0u; j < EIGHTS; j++) {
    let i = lane + j * THREADS;
    let n = first_n + scattered(i / 4u);
    if (n < p.columns) { f.table[j] = table[(n * p.depth + k) / 8u + i % 4u]; }
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

// Writes one matrix of sums whose first element is the logit of row m and the table's row n.
fn drain(sum: Sum, m: u32, n: u32, subgroup: u32, lane: u32) {
  let begin = subgroup * u32(M * N);
  workgroupBarrier();
  store_sum(begin, sum);
  workgroupBarrier();
  for (var i = lane; i < u32(M * N); i += SUBGROUP_SIZE) {
    let row = m + i / u32(N);
    let column = n + i % u32(N);
    if (row < p.rows && column < p.columns) {
      logits[row * p.stride + p.first + column] = sums[begin + i] * row_scales[row];
    }
  }
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_id) subgroup: u32,
  @builtin(subgroup_invocation_id) in_subgroup: u32,
) {
  let first_m = group.x * TILE_M;
  let first_n = group.y * TILE_N;
  var inverse: array<f32, QUADS>;
  for (var j = 0u; j < QUADS; j++) { inverse[j] = inverse_scale(first_m + left_row(lane + j * THREADS)); }
  let sub_m = (subgroup / SUBGROUPS_N) * 2u * u32(M);
  let sub_n = (subgroup % SUBGROUPS_N) * 4u * u32(N);
  var s00 = Sum(); var s01 = Sum(); var s02 = Sum(); var s03 = Sum();
  var s10 = Sum(); var s11 = Sum(); var s12 = Sum(); var s13 = Sum();
  var next = fetch(first_m, first_n, 0u, lane);
  for (var chunk = 0u; chunk < p.depth; chunk += DEPTH) {
    workgroupBarrier();
    put(&next, &inverse, lane);
    workgroupBarrier();
    if (chunk + DEPTH < p.depth) { next = fetch(first_m, first_n, chunk + DEPTH, lane); }
    for (var k = 0u; k < DEPTH; k += u32(K)) {
      let l0 = load_left(sub_m * STRIDE_LEFT + k);
      let l1 = load_left((sub_m + u32(M)) * STRIDE_LEFT + k);
      let r0 = load_right_by_columns(sub_n * STRIDE_RIGHT + k);
      let r1 = load_right_by_columns((sub_n + u32(N)) * STRIDE_RIGHT + k);
      let r2 = load_right_by_columns((sub_n + 2u * u32(N)) * STRIDE_RIGHT + k);
      let r3 = load_right_by_columns((sub_n + 3u * u32(N)) * STRIDE_RIGHT + k);
      s00 = subgroupMatrixMultiplyAccumulate(l0, r0, s00);
      s01 = subgroupMatrixMultiplyAccumulate(l0, r1, s01);
      s02 = subgroupMatrixMultiplyAccumulate(l0, r2, s02);
      s03 = subgroupMatrixMultiplyAccumulate(l0, r3, s03);
      s10 = subgroupMatrixMultiplyAccumulate(l1, r0, s10);
      s11 = subgroupMatrixMultiplyAccumulate(l1, r1, s11);
      s12 = subgroupMatrixMultiplyAccumulate(l1, r2, s12);
      s13 = subgroupMatrixMultiplyAccumulate(l1, r3, s13);
    }
  }
  let m = first_m + sub_m;
  let n = first_n + sub_n;
  drain(s00, m, n, subgroup, in_subgroup);
  drain(s01, m, n + u32(N), subgroup, in_subgroup);
  drain(s02, m, n + 2u * u32(N), subgroup, in_subgroup);
  drain(s03, m, n + 3u * u32(N), subgroup, in_subgroup);
  drain(s10, m + u32(M), n, subgroup, in_subgroup);
  drain(s11, m + u32(M), n + u32(N), subgroup, in_subgroup);
  drain(s12, m + u32(M), n + 2u * u32(N), subgroup, in_subgroup);
  drain(s13, m + u32(M), n + 3u * u32(N), subgroup, in_subgroup);
}

#include "shared/matrix_left.wgsl"
#include "shared/row_scale_inverse.wgsl"
#include "shared/table_decode.wgsl"
