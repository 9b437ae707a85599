// partials[begin + w] = the sum of squares of the w-th chunk of the gradients of up to seven layers, or NOT_FINITE
// where the chunk holds NaN or infinity or its sum is larger. No chunk spans layers. Gradients are read as integers:
// a compiler that assumes finite floats cannot drop the test.
// Reference: WGSL, https://www.w3.org/TR/WGSL/#floating-point-evaluation: compilers may assume that there are no
// infinities and NaNs; isNan was removed for that (gpuweb/gpuweb#2311).

// Of each layer its vec4; no more chunks than these have.
struct Params { counts0: vec4u, counts1: vec4u, begin: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> grads0: array<vec4u>;
@group(0) @binding(2) var<storage, read> grads1: array<vec4u>;
@group(0) @binding(3) var<storage, read> grads2: array<vec4u>;
@group(0) @binding(4) var<storage, read> grads3: array<vec4u>;
@group(0) @binding(5) var<storage, read> grads4: array<vec4u>;
@group(0) @binding(6) var<storage, read> grads5: array<vec4u>;
@group(0) @binding(7) var<storage, read> grads6: array<vec4u>;
@group(0) @binding(8) var<storage, read_write> partials: array<f32>;

const THREADS = 256u;
const CHUNK = 8u * THREADS;
const EXPONENT = vec4u(0x7f800000u);
// A finite number that marks what is not finite, so that sums stay in f32's range; grad_norm_finish.wgsl knows it.
const NOT_FINITE = 1.1e38;
const LAYERS = 7u;
var<workgroup> sums: array<f32, THREADS>;

fn count4(layer: u32) -> u32 {
  if (layer < 4u) { return p.counts0[layer]; }
  return p.counts1[layer - 4u];
}

fn grads(layer: u32, i: u32) -> vec4u {
  switch (layer) {
    case 0u: { return grads0[i]; }
    case 1u: { return grads1[i]; }
    case 2u: { return grads2[i]; }
    case 3u: { return grads3[i]; }
    case 4u: { return grads4[i]; }
    case 5u: { return grads5[i]; }
    default: { return grads6[i]; }
  }
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let place = group.x + group.y * groups.x;
  var layer = 0u;
  var chunk = place;
  while (layer < LAYERS && chunk >= (count4(layer) + CHUNK - 1u) / CHUNK) {
    chunk -= (count4(layer) + CHUNK - 1u) / CHUNK;
    layer++;
  }
  if (layer == LAYERS) { return; }
  let begin = chunk * CHUNK;
  let end = min(begin + CHUNK, count4(layer));
  var squares = 0.0;
  var bad = false;
  for (var i = begin + lane; i < end; i += THREADS) {
    let bits = grads(layer, i);
    bad |= any((bits & EXPONENT) == EXPONENT);
    let g = bitcast<vec4f>(bits);
    squares += dot(g, g);
  }
  sums[lane] = select(min(squares, NOT_FINITE), NOT_FINITE, bad);
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { sums[lane] = min(sums[lane] + sums[lane + half], NOT_FINITE); }
  }
  if (lane == 0u) { partials[p.begin + place] = sums[0]; }
}
