// The products of the head on subgroup matrices, forward and backward. Rows of x or dlogits are divided by powers of
// two on their way into f16, the table's values become f16; all sums are f32. The next chunk of 32 is fetched from
// memory while this one is multiplied.
// requires: M, SUBGROUPS_M, SUBGROUP_SIZE, SUBGROUPS_N, put_left, put_right, N, Sum, store_sum, finished, store
// requires: target_of, inverse_of, fetch, put, K, load_left, right_at

#include "shared/matrix_left.wgsl"
#include "shared/matrix_drain.wgsl"

// The first element of the output that a workgroup or a subgroup makes, what of the inner dimension it adds up, and
// the slice that this is.
struct Target { m: u32, n: u32, begin: u32, end: u32, slice: u32 }

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_id) subgroup: u32,
  @builtin(subgroup_invocation_id) in_subgroup: u32,
) {
  let of_group = target_of(group);
  var inverse: array<f32, QUADS>;
  for (var j = 0u; j < QUADS; j++) { inverse[j] = inverse_of(of_group.m + left_row(lane + j * THREADS)); }
  #include "shared/matrix_sums.wgsl"

  var next = fetch(of_group, of_group.begin, lane);
  for (var chunk = of_group.begin; chunk < of_group.end; chunk += CHUNK) {
    workgroupBarrier();
    put(&next, &inverse, lane);
    workgroupBarrier();
    if (chunk + CHUNK < of_group.end) { next = fetch(of_group, chunk + CHUNK, lane); }
    #include "shared/matrix_multiply_chunk.wgsl"
  }
  let to = Target(of_group.m + sub_m, of_group.n + sub_n, of_group.begin, of_group.end, of_group.slice);
  #include "shared/matrix_drain_2x4.wgsl"
}
