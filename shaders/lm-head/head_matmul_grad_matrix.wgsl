// head_matmul_grad on subgroup matrices: partial[slice, m, k] = Σn dlogits[m, first + n]·table[n, k], table in bf16 or f16.
//
// Built as nf4_matmul_grad_matrix is. All rows are divided by one power of two, of the size of the loss's gradient
// with respect to one logit, which bounds every element.
// Before this text stands what stands before nf4_matmul_matrix; beside it matrix_left and table_decode.

struct Params {
  rows: u32, columns: u32, depth: u32, first: u32, stride: u32, first_slice: u32, slice_columns: u32, scale: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> dlogits: array<f32>;
@group(0) @binding(2) var<storage, read> table: array<vec4u>;
@group(0) @binding(3) var<storage, read_write> partial: array<f32>;

const CHUNK = 32u;
const TILE_K = 4u * u32(N) * SUBGROUPS_N;
// Halves between rows of a tile; the last 8 are there to keep rows off each other's banks.
const STRIDE_RIGHT = TILE_K + 8u;
const RIGHT = CHUNK * STRIDE_RIGHT;
// What a thread brings of a chunk beside its quads: groups of eight values of the table.
const EIGHTS = CHUNK * TILE_K / 8u / THREADS;

var<workgroup> sums: array<f32, u32(M) * u32(N) * SUBGROUPS_M * SUBGROUPS_N>;

fn dlogit(m: u32, n: u32, end: u32) -> f32 {
  if (m < p.rows && n < end) { return dlogits[m * p.stride + p.first + n]; }
  return 0.0;
}

struct Fetched { y: array<vec4f, QUADS>, table: array<vec4u, EIGHTS> }

fn fetch(first_m: u32, first_k: u32, first_n: u32, end: u32, lane: u32) -> Fetched {
  var f: Fetched;
  for (var j = 0u; j < QUADS; j++) {
    let i = lane + j * THREADS;
    let m = first_m + left_row(i);
    let n = first_n + (i % 8u) * 4u;
    f.y[j] = vec4f(dlogit(m, n, end), dlogit(m, n + 1u, end), dlogit(m, n + 2u, end), dlogit(m, n + 3u, end));
  }
  for (var j = 0u; j < EIGHTS; j++) {
    let i = lane + j * THREADS;
    let n = first_n + i / (TILE_K / 8u);
    let k = first_k + (i % (TILE_K / 8u)) * 8u;
    if (n < end && k < p.depth) { f.table[j] = table[(n * p.depth + k) / 8u]; }
  }
  return f;
}

fn put(f: ptr<function, Fetched>, lane: u32) {
  let inverse = 1.0 / p.scale;
  for (var j = 0u; j < QUADS; j++) { put_quad(lane + j * THREADS, (*f).y[j] * inverse); }
  for (var j = 0u; j < EIGHTS; j++) {
    let i = lane + j * THREADS;
    let v = (*f).table[j];
    let at = (i / (TILE_K / 8u)) * STRIDE_RIGHT + (i % (TILE_K / 8u)) * 8u;
    put_eight(i, at, vec4f(halves(v.x), halves(v.y)), vec4f(halves(v.z), halves(v.w)));
  }
}

// Writes one matrix of sums whose first element is partial[slice, m, k].
fn drain(sum: Sum, slice: u32, m: u32, k: u32, subgroup: u32, lane: u32) {
  let begin = subgroup * u32(M * N);
  workgroupBarrier();
  store_sum(begin, sum);
  workgroupBarrier();
  for (var i = lane; i < u32(M * N); i += SUBGROUP_SIZE) {
    let row = m + i / u32(N);
    let column = k + i % u32(N);
    if (row < p.rows && column < p.depth) {
      partial[(slice * p.rows + row) * p.depth + column] = sums[begin + i] * p.scale;
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
  let first_m = group.y * TILE_M;
  let first_k = group.x * TILE_K;
  let begin = group.z * p.slice_columns;
  let end = min(begin + p.slice_columns, p.columns);
  let sub_m = (subgroup / SUBGROUPS_N) * 2u * u32(M);
  let sub_k = (subgroup % SUBGROUPS_N) * 4u * u32(N);
  var s00 = Sum(); var s01 = Sum(); var s02 = Sum(); var s03 = Sum();
  var s10 = Sum(); var s11 = Sum(); var s12 = Sum(); var s13 = Sum();
  var next = fetch(first_m, first_k, begin, end, lane);
  for (var chunk = begin; chunk < end; chunk += CHUNK) {
    workgroupBarrier();
    put(&next, lane);
    workgroupBarrier();
    if (chunk + CHUNK < end) { next = fetch(first_m, first_k, chunk + CHUNK, end, lane); }
    for (var n = 0u; n < CHUNK; n += u32(K)) {
      let l0 = load_left(sub_m * STRIDE_LEFT + n);
      let l1 = load_left((sub_m + u32(M)) * STRIDE_LEFT + n);
      let r0 = load_right_by_rows(n * STRIDE_RIGHT + sub_k);
      let r1 = load_right_by_rows(n * STRIDE_RIGHT + sub_k + u32(N));
      let r2 = load_right_by_rows(n * STRIDE_RIGHT + sub_k + 2u * u32(N));
      let r3 = load_right_by_rows(n * STRIDE_RIGHT + sub_k + 3u * u32(N));
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
  let slice = p.first_slice + group.z;
  let k = first_k + sub_k;
  drain(s00, slice, m, k, subgroup, in_subgroup);
  drain(s01, slice, m, k + u32(N), subgroup, in_subgroup);
  drain(s02, slice, m, k + 2u * u32(N), subgroup, in_subgroup);
  drain(s03, slice, m, k + 3u * u32(N), subgroup, in_subgroup);
  drain(s10, slice, m + u32(M), k, subgroup, in_subgroup);
  drain(s11, slice, m + u32(M), k + u32(N), subgroup, in_subgroup);
  drain(s12, slice, m + u32(M), k + 2u * u32(N), subgroup, in_subgroup);
  drain(s13, slice, m + u32(M), k + 3u * u32(N), subgroup, in_subgroup);
}

#include "shared/matrix_left.wgsl"
#include "shared/table_decode.wgsl"
