// How the norms add up a row: a tree in workgroup memory.
// requires: THREADS

var<workgroup> partial: array<vec2f, THREADS>;

// The sum of every thread's value, in a fixed order.
fn sum(value: vec2f, lane: u32) -> vec2f {
  partial[lane] = value;
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { partial[lane] += partial[lane + half]; }
  }
  workgroupBarrier();
  return partial[0];
}

