// Inside a function: writes a subgroup's 2 × 4 matrices of sums.
// requires: drain, s00, to, subgroup, in_subgroup, s01, N, s02, s03, s10, M, s11, s12, s13

drain(s00, to, to.m, to.n, subgroup, in_subgroup);
drain(s01, to, to.m, to.n + u32(N), subgroup, in_subgroup);
drain(s02, to, to.m, to.n + 2u * u32(N), subgroup, in_subgroup);
drain(s03, to, to.m, to.n + 3u * u32(N), subgroup, in_subgroup);
drain(s10, to, to.m + u32(M), to.n, subgroup, in_subgroup);
drain(s11, to, to.m + u32(M), to.n + u32(N), subgroup, in_subgroup);
drain(s12, to, to.m + u32(M), to.n + 2u * u32(N), subgroup, in_subgroup);
drain(s13, to, to.m + u32(M), to.n + 3u * u32(N), subgroup, in_subgroup);
