// The multiply-adds that subgroup matrices do in a second: each subgroup repeats 2 × 4 products of the same matrices,
// as the kernels on subgroup matrices group them, and reads nothing on the way. Every sum ends at rounds · K · left ·
// right.
// requires: SUBGROUP_SIZE, SUBGROUPS_M, SUBGROUPS_N, K, M, N from matrixHead
// requires: Sum, store_sum, put_left, put_right, load_left from shared/subgroup_matrix_by_{flag,order}.wgsl
// requires: load_right_by_columns from shared/subgroup_matrix_by_{flag,order}.wgsl

struct Params {
  rounds: u32,
  left: f32,
  right: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

const THREADS = SUBGROUP_SIZE * SUBGROUPS_M * SUBGROUPS_N;
const STRIDE_LEFT = u32(K);
const STRIDE_RIGHT = u32(K);

const LEFT = 2u * u32(M) * STRIDE_LEFT;
const RIGHT = 4u * u32(N) * STRIDE_RIGHT;

var<workgroup> sums: array<f32, u32(M) * u32(N) * SUBGROUPS_M * SUBGROUPS_N>;

// Writes one matrix of sums to where it lies in the workgroup's 8 matrices a subgroup.
fn drain(sum: Sum, at: u32, subgroup: u32, lane: u32) {
  let begin = subgroup * u32(M * N);
  workgroupBarrier();
  store_sum(begin, sum);
  workgroupBarrier();
  for (var i = lane; i < u32(M * N); i += SUBGROUP_SIZE) { out[at * u32(M * N) + i] = sums[begin + i]; }
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_id) subgroup: u32,
  @builtin(subgroup_invocation_id) in_subgroup: u32,
) {
  for (var i = lane; i < LEFT / 4u; i += THREADS) { put_left(4u * i, vec4<f16>(f16(p.left))); }
  for (var i = lane; i < RIGHT / 4u; i += THREADS) { put_right(4u * i, vec4<f16>(f16(p.right))); }
  workgroupBarrier();
  let l0 = load_left(0u);
  let l1 = load_left(u32(M) * STRIDE_LEFT);
  let r0 = load_right_by_columns(0u);
  let r1 = load_right_by_columns(u32(N) * STRIDE_RIGHT);
  let r2 = load_right_by_columns(2u * u32(N) * STRIDE_RIGHT);
  let r3 = load_right_by_columns(3u * u32(N) * STRIDE_RIGHT);
  var s00 = Sum(); var s01 = Sum(); var s02 = Sum(); var s03 = Sum();
  var s10 = Sum(); var s11 = Sum(); var s12 = Sum(); var s13 = Sum();
  for (var i = 0u; i < p.rounds; i++) {
    #include "shared/matrix_multiply_2x4.wgsl"
  }
  let at = 8u * (group.x * SUBGROUPS_M * SUBGROUPS_N + subgroup);
  drain(s00, at, subgroup, in_subgroup);
  drain(s01, at + 1u, subgroup, in_subgroup);
  drain(s02, at + 2u, subgroup, in_subgroup);
  drain(s03, at + 3u, subgroup, in_subgroup);
  drain(s10, at + 4u, subgroup, in_subgroup);
  drain(s11, at + 5u, subgroup, in_subgroup);
  drain(s12, at + 6u, subgroup, in_subgroup);
  drain(s13, at + 7u, subgroup, in_subgroup);
}
