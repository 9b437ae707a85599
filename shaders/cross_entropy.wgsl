// losses[begin + r] = log Σ exp(logits[r]) − logits[r, label[r]]; then, where `gradient` is set, in place
// logits[r] := (softmax(logits[r]) − onehot(label[r]))·scale. One workgroup per slice of a row, as in
// cross_entropy_partial, whose sums of the row's slices each merges in the same order. A row with a logit that is not
// finite gives NaN throughout.

struct Params { vocab: u32, slice: u32, begin: u32, gradient: u32, scale: f32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> partials: array<vec2u>;
@group(0) @binding(2) var<storage, read_write> logits: array<u32>;
@group(0) @binding(3) var<storage, read> labels: array<u32>;
@group(0) @binding(4) var<storage, read_write> losses: array<u32>;

const THREADS = 256u;
const STRIDE = 4u * THREADS;
const LOWEST = -3.4e38;
const EXPONENT = 0x7f800000u;
const NAN = 0x7fc00000u;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.y * p.vocab;
  let begin = row + group.x * p.slice;
  let end = min(begin + p.slice, row + p.vocab);
  let first = group.y * groups.x;
  var largest = LOWEST;
  var sound = true;
  for (var s = first; s < first + groups.x; s++) {
    let part = partials[s];
    sound &= (part.y & EXPONENT) != EXPONENT;
    largest = max(largest, bitcast<f32>(part.x));
  }
  var total = 0.0;
  for (var s = first; s < first + groups.x; s++) {
    let part = bitcast<vec2f>(partials[s]);
    total += part.y * exp(part.x - largest);
  }
  let label = row + labels[group.y];
  if (lane == 0u && label >= begin && label < end) {
    let loss = log(total) + (largest - bitcast<f32>(logits[label]));
    losses[p.begin + group.y] = select(NAN, bitcast<u32>(loss), sound);
  }
  if (p.gradient == 0u) { return; }
  // The loss must have read its logit before any thread overwrites it.
  storageBarrier();
  let scale = p.scale / total;
  var at = begin + lane;
  // Four at a time are on their way.
  for (; at + 3u * THREADS < end; at += STRIDE) {
    let i = at + vec4u(0u, 1u, 2u, 3u) * THREADS;
    let x = bitcast<vec4f>(vec4u(logits[i.x], logits[i.y], logits[i.z], logits[i.w]));
    let grad = exp(x - largest) * scale - select(vec4f(), vec4f(p.scale), i == vec4u(label));
    let bits = select(vec4u(NAN), bitcast<vec4u>(grad), sound);
    logits[i.x] = bits.x;
    logits[i.y] = bits.y;
    logits[i.z] = bits.z;
    logits[i.w] = bits.w;
  }
  for (; at < end; at += THREADS) {
    let grad = exp(bitcast<f32>(logits[at]) - largest) * scale - select(0.0, p.scale, at == label);
    logits[at] = select(NAN, bitcast<u32>(grad), sound);
  }
}
