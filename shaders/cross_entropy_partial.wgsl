// partials[r, s] = (largest, Σ exp(logit − largest)) of slice s of row r: what cross_entropy makes the log-sum-exp
// of. One pass under a running maximum; one workgroup per slice of a row, so that few rows keep a large device busy.
// A slice with a logit that is not finite gives a sum of NaN. Floats are held as bits, since exp and max may swallow
// a NaN and a compiler may assume that there is none.
// References: M. Milakov, N. Gimelshein, "Online normalizer calculation for softmax", arXiv:1805.02867; WGSL,
// https://www.w3.org/TR/WGSL/#floating-point-evaluation: compilers may assume that there are no infinities and NaNs;
// isNan was removed for that (gpuweb/gpuweb#2311).

struct Params { vocab: u32, slice: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> logits: array<u32>;
@group(0) @binding(2) var<storage, read_write> partials: array<vec2u>;

const THREADS = 256u;
const STRIDE = 4u * THREADS;
const LOWEST = -3.4e38;
const EXPONENT = vec4u(0x7f800000u);
const NAN = 0x7fc00000u;
// Per thread: the largest logit so far, and the sum of exp(logit − largest).
var<workgroup> partial: array<vec2f, THREADS>;
var<workgroup> not_finite: atomic<u32>;

fn merge(a: vec2f, b: vec2f) -> vec2f {
  let largest = max(a.x, b.x);
  return vec2f(largest, a.y * exp(a.x - largest) + b.y * exp(b.x - largest));
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.y * p.vocab;
  let begin = row + group.x * p.slice;
  let end = min(begin + p.slice, row + p.vocab);
  var state = vec2f(LOWEST, 0.0);
  var bad = false;
  var at = begin + lane;
  // Four logits at a time, so that the running sum is rescaled once for four exponentials.
  for (; at + 3u * THREADS < end; at += STRIDE) {
    let bits = vec4u(logits[at], logits[at + THREADS], logits[at + 2u * THREADS], logits[at + 3u * THREADS]);
    bad |= any((bits & EXPONENT) == EXPONENT);
    let x = bitcast<vec4f>(bits);
    let largest = max(max(state.x, max(x.x, x.y)), max(x.z, x.w));
    state = vec2f(largest, state.y * exp(state.x - largest) + dot(exp(x - largest), vec4f(1.0)));
  }
  for (; at < end; at += THREADS) {
    let bits = logits[at];
    bad |= (bits & EXPONENT.x) == EXPONENT.x;
    state = merge(state, vec2f(bitcast<f32>(bits), 1.0));
  }
  partial[lane] = state;
  if (bad) { atomicOr(&not_finite, 1u); }
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { partial[lane] = merge(partial[lane], partial[lane + half]); }
  }
  workgroupBarrier();
  if (lane > 0u) { return; }
  let total = bitcast<vec2u>(partial[0]);
  let sound = atomicLoad(&not_finite) == 0u;
  partials[group.y * groups.x + group.x] = vec2u(total.x, select(NAN, total.y, sound));
}
