// One AdamW step with m and v held as 8-bit codes of blocks of 256 (bitsandbytes' blockwise 8-bit AdamW). A workgroup
// takes one block after another, each thread four elements of it. The weights move by this step's m and v before
// these are requantized; then weight decay. The gradients are cleared. A gradient that is not finite leaves its
// weight alone and clears its m and v.
// References: T. Dettmers et al., "8-bit Optimizers via Block-wise Quantization", arXiv:2110.02861; bitsandbytes,
// csrc/kernels.cu (kOptimizerStatic8bit2StateBlockwise); I. Loshchilov, F. Hutter, "Decoupled Weight Decay
// Regularization", arXiv:1711.05101.

struct Params {
  blocks: u32,
  beta1: f32,
  one_minus_beta1: f32,
  beta2: f32,
  one_minus_beta2: f32,
  step_size: f32,
  eps_hat: f32,
  decay: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> weights: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> grads: array<vec4u>;
@group(0) @binding(3) var<storage, read_write> m_codes: array<u32>;
@group(0) @binding(4) var<storage, read_write> v_codes: array<u32>;
@group(0) @binding(5) var<storage, read_write> m_absmax: array<f32>;
@group(0) @binding(6) var<storage, read_write> v_absmax: array<f32>;
// The signed map (for m), then the unsigned one (for v), 256 ascending values each.
@group(0) @binding(7) var<storage, read> maps: array<f32>;
// Gradient norm, clip factor, 1 where every gradient is finite.
@group(0) @binding(8) var<storage, read> control: array<f32>;

const THREADS = 64u;
// Enough blocks to a workgroup that fetching the maps costs little beside them.
const BLOCKS = 8u;
const SIGNED = 0u;
const UNSIGNED = 256u;
const EXPONENT = vec4u(0x7f800000u);
// Hardware may flush what is smaller, and its reciprocal overflows: such a block counts as zero.
const SMALLEST_NORMAL = 1.17549435e-38;

var<workgroup> codes: array<f32, 512>;
// thresholds[i] lies between codes[i] and codes[i + 1].
var<workgroup> thresholds: array<f32, 512>;
// Per thread, and then of eight threads each: the largest |m| and v.
var<workgroup> largest: array<vec2f, THREADS>;
var<workgroup> largest8: array<vec2f, 8>;

fn decode(word: u32, map: u32) -> vec4f {
  let at = ((vec4u(word) >> vec4u(0u, 8u, 16u, 24u)) & vec4u(255u)) + map;
  return vec4f(codes[at.x], codes[at.y], codes[at.z], codes[at.w]);
}

// The code nearest to x, the lower on ties: how many of the map's 255 thresholds are below x.
fn nearest(x: f32, map: u32) -> u32 {
  var below = 0u;
  for (var step = 128u; step > 0u; step /= 2u) {
    if (thresholds[map + below + step - 1u] < x) { below += step; }
  }
  return below;
}

fn encode(x: vec4f, map: u32) -> vec4u {
  return vec4u(nearest(x.x, map), nearest(x.y, map), nearest(x.z, map), nearest(x.w, map));
}

fn pack(code: vec4u) -> u32 {
  return code.x | (code.y << 8u) | (code.z << 16u) | (code.w << 24u);
}

fn max_of(v: vec4f) -> f32 {
  return max(max(v.x, v.y), max(v.z, v.w));
}

// The largest |m| and v of the block, for every thread.
fn largest_of_block(value: vec2f, lane: u32) -> vec2f {
  largest[lane] = value;
  workgroupBarrier();
  if (lane < 8u) {
    var most = largest[lane];
    for (var i = 1u; i < 8u; i++) { most = max(most, largest[8u * i + lane]); }
    largest8[lane] = most;
  }
  workgroupBarrier();
  var most = largest8[0];
  for (var i = 1u; i < 8u; i++) { most = max(most, largest8[i]); }
  return most;
}

fn update(block: u32, lane: u32) {
  let at = block * THREADS + lane;
  let bits = grads[at];
  let finite = (bits & EXPONENT) != EXPONENT;
  let g = select(vec4f(), bitcast<vec4f>(bits), finite) * control[1];
  var m = p.beta1 * (decode(m_codes[at], SIGNED) * m_absmax[block]) + p.one_minus_beta1 * g;
  var v = p.beta2 * (decode(v_codes[at], UNSIGNED) * v_absmax[block]) + p.one_minus_beta2 * g * g;
  m = select(vec4f(), m, finite);
  v = select(vec4f(), v, finite);
  let w = weights[at];
  weights[at] = select(w, (w - p.step_size * (m / (sqrt(v) + p.eps_hat))) * p.decay, finite);
  grads[at] = vec4u();

  let most = largest_of_block(vec2f(max_of(abs(m)), max_of(v)), lane);
  let live = most >= vec2f(SMALLEST_NORMAL);
  let absmax = select(vec2f(), most, live);
  let scale = select(vec2f(), 1.0 / most, live);
  let m_code = encode(m * scale.x, SIGNED);
  // A negative m never lands on the code of zero, which would lose its sign. A positive m cannot land below zero.
  let signless = (m_code == vec4u(127u)) & (m < vec4f()) & vec4<bool>(live.x);
  m_codes[at] = pack(select(m_code, vec4u(126u), signless));
  v_codes[at] = pack(encode(v * scale.y, UNSIGNED));
  if (lane == 0u) {
    m_absmax[block] = absmax.x;
    v_absmax[block] = absmax.y;
  }
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let begin = (group.x + group.y * groups.x) * BLOCKS;
  if (begin >= p.blocks || control[2] != 1.0) { return; }
  for (var i = lane; i < 512u; i += THREADS) {
    codes[i] = maps[i];
    thresholds[i] = 0.5 * (maps[i] + maps[min(i + 1u, 511u)]);
  }
  workgroupBarrier();
  for (var block = begin; block < min(begin + BLOCKS, p.blocks); block++) { update(block, lane); }
}
