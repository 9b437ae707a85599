// scales[m] = a power of two with max |x[m, ·]| in [32, 64)·scales[m]: what a row is divided by before it becomes
// f16. Neither large activations nor small gradients then leave the range of f16, and dividing by it is exact.
//
// One workgroup of 64 threads a row, of one of up to three matrices for each workgroup_id.z.

struct Params {
  rows: u32,
  width0: u32, width1: u32, width2: u32,
  // Where the scales of the second and the third begin.
  scales_at1: u32, scales_at2: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x0: array<vec4f>;
@group(0) @binding(2) var<storage, read> x1: array<vec4f>;
@group(0) @binding(3) var<storage, read> x2: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> scales: array<f32>;

const THREADS = 64u;

var<workgroup> largest: array<f32, THREADS>;

fn x_of(part: u32, i: u32) -> vec4f {
  if (part == 0u) { return x0[i]; }
  if (part == 1u) { return x1[i]; }
  return x2[i];
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let m = group.y * groups.x + group.x;
  if (m >= p.rows) { return; }
  let part = group.z;
  let quads = select(select(p.width2, p.width1, part == 1u), p.width0, part == 0u) / 4u;
  var most = vec4f();
  for (var i = lane; i < quads; i += THREADS) { most = max(most, abs(x_of(part, m * quads + i))); }
  largest[lane] = max(max(most.x, most.y), max(most.z, most.w));
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { largest[lane] = max(largest[lane], largest[lane + half]); }
  }
  if (lane == 0u) {
    // Five below the exponent of the largest; far from both ends of the exponents so that 1/scale is normal too.
    let exponent = clamp(bitcast<u32>(largest[0]) >> 23u, 32u, 232u) - 5u;
    let begin = select(select(p.scales_at2, p.scales_at1, part == 1u), 0u, part == 0u);
    scales[begin + m] = bitcast<f32>(exponent << 23u);
  }
}
