// control = [‖g‖, min(1, max_norm/(‖g‖ + 1e-6)), 1, 0] from the partial sums of squares; [−1, 0, 0, 0] where they
// reach NOT_FINITE together. One workgroup.

struct Params { partial_count: u32, max_norm: f32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> partials: array<f32>;
@group(0) @binding(2) var<storage, read_write> control: array<f32>;

const THREADS = 256u;
const NOT_FINITE = 1.1e38;
var<workgroup> sums: array<f32, THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) lane: u32) {
  var squares = 0.0;
  for (var i = lane; i < p.partial_count; i += THREADS) {
    squares = min(squares + partials[i], NOT_FINITE);
  }
  sums[lane] = squares;
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { sums[lane] = min(sums[lane] + sums[lane + half], NOT_FINITE); }
  }
  if (lane > 0u) { return; }
  let finite = sums[0] < NOT_FINITE;
  let norm = sqrt(sums[0]);
  var clip = 1.0;
  if (p.max_norm > 0.0) { clip = min(1.0, p.max_norm / (norm + 1e-6)); }
  control[0] = select(-1.0, norm, finite);
  control[1] = select(0.0, clip, finite);
  control[2] = select(0.0, 1.0, finite);
  control[3] = 0.0;
}
