// losses[begin + r] = log Σ exp(logits[r]) − logits[r, label[r]]; then, where `gradient` is set, in place
// logits[r] := (softmax(logits[r]) − onehot(label[r]))·scale. One workgroup per row. A row with a logit that is not
// finite gives NaN throughout. Floats are held as bits, since exp and max may swallow a NaN and a compiler may assume
// that there is none.

struct Params { rows: u32, vocab: u32, begin: u32, gradient: u32, scale: f32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> logits: array<u32>;
@group(0) @binding(2) var<storage, read> labels: array<u32>;
@group(0) @binding(3) var<storage, read_write> losses: array<u32>;

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
  let row = group.x + group.y * groups.x;
  if (row >= p.rows) { return; }
  let begin = row * p.vocab;
  let end = begin + p.vocab;
  var state = vec2f(LOWEST, 0.0);
  var bad = false;
  var at = begin + lane;
  // Four logits a turn, so that the running sum is rescaled once for four exponentials.
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
  let total = partial[0];
  let sound = atomicLoad(&not_finite) == 0u;
  let label = begin + labels[row];
  if (lane == 0u) {
    let loss = log(total.y) + (total.x - bitcast<f32>(logits[label]));
    losses[p.begin + row] = select(NAN, bitcast<u32>(loss), sound);
  }
  if (p.gradient == 0u) { return; }
  // The loss must have read its logit before any thread overwrites it.
  storageBarrier();
  let scale = p.scale / total.y;
  for (at = begin + lane; at < end; at += THREADS) {
    let grad = exp(bitcast<f32>(logits[at]) - total.x) * scale - select(0.0, p.scale, at == label);
    logits[at] = select(NAN, bitcast<u32>(grad), sound);
  }
}
