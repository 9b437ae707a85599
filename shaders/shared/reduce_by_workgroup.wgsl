// How the norms add up a row: a binary tree over workgroup memory, in which a thread holds the nodes of several
// levels in registers, so that all of them take two barriers. Each level adds the upper half to the lower. There
// are 32 or 128 threads.
// requires: THREADS

var<workgroup> partial: array<vec2f, THREADS>;

// The sum of every thread's value, in a fixed order.
fn sum(value: vec2f, lane: u32) -> vec2f {
  partial[lane] = value;
  workgroupBarrier();
  // The levels of 16 and 8. No thread writes what another reads.
  if (lane < 8u) { partial[lane] = (leaf(lane) + leaf(lane + 16u)) + (leaf(lane + 8u) + leaf(lane + 24u)); }
  workgroupBarrier();
  // Those of 4, 2 and 1.
  return ((partial[0] + partial[4]) + (partial[2] + partial[6]))
       + ((partial[1] + partial[5]) + (partial[3] + partial[7]));
}

// The levels of 64 and 32, of 128 threads.
fn leaf(i: u32) -> vec2f {
  if (THREADS == 32u) { return partial[i]; }
  return (partial[i] + partial[i + 64u]) + (partial[i + 32u] + partial[i + 96u]);
}
