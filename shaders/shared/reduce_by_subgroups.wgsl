// How the norms add up a row where a device has subgroups, of any size: their own sums first, one barrier, and every
// thread adds what the subgroups' first threads left.
// requires: THREADS

enable subgroups;

var<workgroup> partial: array<vec2f, THREADS>;

// The sum of every thread's value, in a fixed order.
fn sum(value: vec2f, lane: u32) -> vec2f {
  let own = subgroupAdd(value);
  partial[lane] = select(vec2f(), own, subgroupElect());
  workgroupBarrier();
  var all = vec2f();
  for (var i = 0u; i < THREADS; i++) { all += partial[i]; }
  return all;
}

