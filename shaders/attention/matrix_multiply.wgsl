// Inside a function: adds the products of two left matrices with the columns of a subgroup, COLUMNS from `at` on, to
// its sums: 2 × 2 matrices, and 2 × 2 more for heads of 128.
// requires: load_right_by_rows, at, N, s00, l0, s01, s10, l1, s11, HEAD_DIM, s02, s03, s12, s13

let r0 = load_right_by_rows(at);
let r1 = load_right_by_rows(at + u32(N));
s00 = subgroupMatrixMultiplyAccumulate(l0, r0, s00);
s01 = subgroupMatrixMultiplyAccumulate(l0, r1, s01);
s10 = subgroupMatrixMultiplyAccumulate(l1, r0, s10);
s11 = subgroupMatrixMultiplyAccumulate(l1, r1, s11);
if (HEAD_DIM > 64u) {
  let r2 = load_right_by_rows(at + 2u * u32(N));
  let r3 = load_right_by_rows(at + 3u * u32(N));
  s02 = subgroupMatrixMultiplyAccumulate(l0, r2, s02);
  s03 = subgroupMatrixMultiplyAccumulate(l0, r3, s03);
  s12 = subgroupMatrixMultiplyAccumulate(l1, r2, s12);
  s13 = subgroupMatrixMultiplyAccumulate(l1, r3, s13);
}
