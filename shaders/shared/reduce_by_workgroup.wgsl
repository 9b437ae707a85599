// How the norms add up a row: a binary tree over workgroup memory, in which a thread holds the nodes of several
// levels in registers, so that seven levels take two barriers. Each level adds the upper half to the lower.
// requires: THREADS

const_assert THREADS == 128u;

var<workgroup> partial: array<vec2f, THREADS>;

// The sum of every thread's value, in a fixed order.
fn sum(value: vec2f, lane: u32) -> vec2f {
  partial[lane] = value;
  workgroupBarrier();
  // Levels of 64, 32, 16 and 8. No thread writes what another reads.
  if (lane < 8u) { partial[lane] = eighth(lane) + eighth(lane + 8u); }
  workgroupBarrier();
  // Levels of 4, 2 and 1.
  return (partial[0] + partial[4] + (partial[2] + partial[6])) + (partial[1] + partial[5] + (partial[3] + partial[7]));
}

// Those `16 i` after the first, i < 8.
fn eighth(first: u32) -> vec2f {
  return (partial[first] + partial[first + 64u] + (partial[first + 32u] + partial[first + 96u]))
       + (partial[first + 16u] + partial[first + 80u] + (partial[first + 48u] + partial[first + 112u]));
}
