// How sums leave subgroup matrices: by way of workgroup memory, since only there is an element known by row and
// column. The kernel says in `Target` where a subgroup's sums go, those from row m and column n on; `finished` makes
// four elements of the output of their sums, with whatever it reads for that, and `store` writes one that is in
// range.
// requires: Sum, Target, M, N, store_sum, SUBGROUP_SIZE, finished, store, sums

// What an invocation writes of a matrix, in fours.
const FOURS = (u32(M) * u32(N) + 4u * SUBGROUP_SIZE - 1u) / (4u * SUBGROUP_SIZE);

// Writes one matrix of sums, whose first element is in row m and column n. Everything is read before anything is
// written: a load beside each conditional store would wait on its own, 300 cycles and more, 64 times a subgroup.
fn drain(sum: Sum, to: Target, m: u32, n: u32, subgroup: u32, lane: u32) {
  let begin = subgroup * u32(M * N);
  workgroupBarrier();
  store_sum(begin, sum);
  workgroupBarrier();
  var values: array<vec4f, FOURS>;
  for (var j = 0u; j < FOURS; j++) {
    let i = min(elements(j, lane), vec4u(u32(M * N) - 1u));
    let at = begin + i;
    let four = vec4f(sums[at.x], sums[at.y], sums[at.z], sums[at.w]);
    values[j] = finished(to, m + i / u32(N), n + i % u32(N), four);
  }
  for (var j = 0u; j < FOURS; j++) {
    let i = elements(j, lane);
    for (var c = 0u; c < 4u; c++) {
      if (i[c] < u32(M * N)) { store(to, m + i[c] / u32(N), n + i[c] % u32(N), values[j][c]); }
    }
  }
}

// Four that one invocation writes: neighbors write neighboring ones.
fn elements(j: u32, lane: u32) -> vec4u { return lane + SUBGROUP_SIZE * (4u * j + vec4u(0u, 1u, 2u, 3u)); }
