// scales[m] = a power of two with max |x[m, ·]| in [32, 64)·scales[m]: what a row is divided by before it becomes
// f16. Neither large activations nor small gradients then leave the range of f16, and dividing by it is exact.
//
// One workgroup of 64 threads a row.

struct Params { rows: u32, width: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> scales: array<f32>;

const THREADS = 64u;

var<workgroup> largest: array<f32, THREADS>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let m = group.y * groups.x + group.x;
  if (m >= p.rows) { return; }
  let quads = p.width / 4u;
  var most = vec4f();
  for (var i = lane; i < quads; i += THREADS) { most = max(most, abs(x[m * quads + i])); }
  largest[lane] = max(max(most.x, most.y), max(most.z, most.w));
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { largest[lane] = max(largest[lane], largest[lane + half]); }
  }
  if (lane == 0u) {
    // Five below the exponent of the largest; far from both ends of the exponents so that 1/scale is normal too.
    let exponent = clamp(bitcast<u32>(largest[0]) >> 23u, 32u, 232u) - 5u;
    scales[m] = bitcast<f32>(exponent << 23u);
  }
}
