// partials[begin + w] = the sum of squares of the w-th chunk of grads, or NOT_FINITE where the chunk holds NaN or
// infinity or its sum is larger. Gradients are read as integers: a compiler that assumes finite floats cannot drop
// the test.
// Reference: WGSL, https://www.w3.org/TR/WGSL/#floating-point-evaluation: compilers may assume that there are no
// infinities and NaNs; isNan was removed for that (gpuweb/gpuweb#2311).

struct Params { count4: u32, begin: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> grads: array<vec4u>;
@group(0) @binding(2) var<storage, read_write> partials: array<f32>;

const THREADS = 256u;
const CHUNK = 8u * THREADS;
const EXPONENT = vec4u(0x7f800000u);
// A finite number that marks what is not finite, so that sums stay in f32's range; grad_norm_finish.wgsl knows it.
const NOT_FINITE = 1.1e38;
var<workgroup> sums: array<f32, THREADS>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let chunk = group.x + group.y * groups.x;
  let begin = chunk * CHUNK;
  if (begin >= p.count4) { return; }
  let end = min(begin + CHUNK, p.count4);
  var squares = 0.0;
  var bad = false;
  for (var i = begin + lane; i < end; i += THREADS) {
    let bits = grads[i];
    bad |= any((bits & EXPONENT) == EXPONENT);
    let g = bitcast<vec4f>(bits);
    squares += dot(g, g);
  }
  sums[lane] = select(min(squares, NOT_FINITE), NOT_FINITE, bad);
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { sums[lane] = min(sums[lane] + sums[lane + half], NOT_FINITE); }
  }
  if (lane == 0u) { partials[p.begin + chunk] = sums[0]; }
}
