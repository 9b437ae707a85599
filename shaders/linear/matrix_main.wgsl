// The products on subgroup matrices: what nf4_matmul_matrix and its gradient do with their tiles. Operands are f16,
// rows of x or dy divided by row_scale's powers of two; all sums are f32. The next chunk of 32 is fetched from memory
// while this one is multiplied; the LoRA product is simply more chunks.
// requires: M, SUBGROUPS_M, SUBGROUP_SIZE, SUBGROUPS_N, put_left, put_right, N, Sum, store_sum, finished, store
// requires: activation4, fill_codebook, TILE_N, inverse_scale, inner_chunks, p.rank, fetch_weights, put_weights
// requires: put_lora, K, load_left, right_at

#include "shared/matrix_left.wgsl"
#include "shared/matrix_drain.wgsl"

// The tile's first element of the output that a subgroup makes.
struct Target { m: u32, n: u32 }

// Puts the LoRA module's activations of the ranks from r on in the left tile.
fn put_activations(first_m: u32, r: u32, inverse: ptr<function, array<f32, QUADS>>, lane: u32) {
  for (var j = 0u; j < QUADS; j++) {
    let i = lane + j * THREADS;
    put_quad(i, activation4(first_m + left_row(i), r + (i % 8u) * 4u) * (*inverse)[j]);
  }
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_id) subgroup: u32,
  @builtin(subgroup_invocation_id) in_subgroup: u32,
) {
  fill_codebook(lane);
  let first_m = group.y * TILE_M;
  let first_n = group.x * TILE_N;
  var inverse: array<f32, QUADS>;
  for (var j = 0u; j < QUADS; j++) { inverse[j] = inverse_scale(first_m + left_row(lane + j * THREADS)); }
  #include "shared/matrix_sums.wgsl"

  let chunks = inner_chunks();
  let all = chunks + (p.rank + CHUNK - 1u) / CHUNK;
  var next = fetch_weights(first_m, first_n, 0u, lane);
  for (var chunk = 0u; chunk < all; chunk++) {
    workgroupBarrier();
    if (chunk < chunks) { put_weights(&next, &inverse, lane); }
    else { put_lora(first_m, first_n, (chunk - chunks) * CHUNK, &inverse, lane); }
    workgroupBarrier();
    if (chunk + 1u < chunks) { next = fetch_weights(first_m, first_n, (chunk + 1u) * CHUNK, lane); }
    #include "shared/matrix_multiply_chunk.wgsl"
  }
  let to = Target(first_m + sub_m, first_n + sub_n);
  #include "shared/matrix_drain_2x4.wgsl"
}
