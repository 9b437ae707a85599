// Inside a function: a subgroup's 2 × 4 matrices of sums, and where they begin in the workgroup's tile.
// requires: subgroup, SUBGROUPS_N, M, N, Sum

let sub_m = (subgroup / SUBGROUPS_N) * 2u * u32(M);
let sub_n = (subgroup % SUBGROUPS_N) * 4u * u32(N);
var s00 = Sum(); var s01 = Sum(); var s02 = Sum(); var s03 = Sum();
var s10 = Sum(); var s11 = Sum(); var s12 = Sum(); var s13 = Sum();
