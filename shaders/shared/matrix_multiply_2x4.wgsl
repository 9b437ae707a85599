// Inside a function: adds the products of two left and four right matrices to the sums of a subgroup. All eight are
// written out; tile_sums says why.
// requires: s00, l0, r0, s01, r1, s02, r2, s03, r3, s10, l1, s11, s12, s13

s00 = subgroupMatrixMultiplyAccumulate(l0, r0, s00);
s01 = subgroupMatrixMultiplyAccumulate(l0, r1, s01);
s02 = subgroupMatrixMultiplyAccumulate(l0, r2, s02);
s03 = subgroupMatrixMultiplyAccumulate(l0, r3, s03);
s10 = subgroupMatrixMultiplyAccumulate(l1, r0, s10);
s11 = subgroupMatrixMultiplyAccumulate(l1, r1, s11);
s12 = subgroupMatrixMultiplyAccumulate(l1, r2, s12);
s13 = subgroupMatrixMultiplyAccumulate(l1, r3, s13);
