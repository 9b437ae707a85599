// o of a head of a sequence from attention_decode's parts, in their order. One workgroup each; a thread has a vec4
// column.
// Reference: M. Milakov, N. Gimelshein, "Online normalizer calculation for softmax", arXiv:1805.02867.

struct Params { heads: u32, splits: u32 }

// head_dim / 4, at most 32.
override HEAD4: u32;

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> parts: array<vec4f>;
@group(0) @binding(2) var<storage, read> ranges: array<vec2u>;
@group(0) @binding(3) var<storage, read_write> o: array<vec4f>;

// Keys of a part, as in attention_decode.
const SPLIT = 128u;
const LOWEST = -1e30;

@compute @workgroup_size(32)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  if (lane >= HEAD4) { return; }
  let range = ranges[group.x];
  let count = (range.y - range.x + SPLIT - 1u) / SPLIT;
  let row = group.x * p.heads + group.y;
  let first = row * p.splits * (HEAD4 + 1u);
  var highest = LOWEST;
  for (var s = 0u; s < count; s++) { highest = max(highest, parts[first + s * (HEAD4 + 1u) + HEAD4].x); }
  var total = 0.0;
  var sum = vec4f();
  for (var s = 0u; s < count; s++) {
    let at = first + s * (HEAD4 + 1u);
    let state = parts[at + HEAD4];
    let weight = exp(state.x - highest);
    total += weight * state.y;
    sum += weight * parts[at + lane];
  }
  o[row * HEAD4 + lane] = sum / total;
}
