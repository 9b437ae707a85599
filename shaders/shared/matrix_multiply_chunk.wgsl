// Inside a function: adds the products of a chunk to a subgroup's sums.
// requires: CHUNK, K, load_left, sub_m, STRIDE_LEFT, M, right_at, sub_n, N, s00, s01, s02, s03, s10, s11, s12, s13

for (var k = 0u; k < CHUNK; k += u32(K)) {
  let l0 = load_left(sub_m * STRIDE_LEFT + k);
  let l1 = load_left((sub_m + u32(M)) * STRIDE_LEFT + k);
  let r0 = right_at(sub_n, k);
  let r1 = right_at(sub_n + u32(N), k);
  let r2 = right_at(sub_n + 2u * u32(N), k);
  let r3 = right_at(sub_n + 3u * u32(N), k);
  #include "shared/matrix_multiply_2x4.wgsl"
}
