// How sums leave subgroup matrices: by way of workgroup memory, since only there is an element known by row and
// column. The kernel says in `Target` where a subgroup's sums go, those from row m and column n on, and `store`
// writes one.
// requires: Sum, Target, M, N, store_sum, SUBGROUP_SIZE, store, sums

// Writes one matrix of sums, whose first element is in row m and column n.
fn drain(sum: Sum, to: Target, m: u32, n: u32, subgroup: u32, lane: u32) {
  let begin = subgroup * u32(M * N);
  workgroupBarrier();
  store_sum(begin, sum);
  workgroupBarrier();
  for (var i = lane; i < u32(M * N); i += SUBGROUP_SIZE) {
    store(to, m + i / u32(N), n + i % u32(N), sums[begin + i]);
  }
}
