// One new token per sequence against its cached keys: o = softmax(scale·q·kᵀ)·v over the slots of its range. One
// workgroup per head of a sequence and 128 of its keys. The thread (row, col) has the vec4 columns col and col + 16;
// the 16 rows share the keys out, 64 at a time, each under a running maximum and sum of its own, and are merged in
// order at the end. Where no sequence has more keys than one workgroup takes, that is o; else attention_decode_merge
// makes it of the parts: Σ weight·v, then (maximum, Σ weight) in a vec4 of its own.
// Reference: M. Milakov, N. Gimelshein, "Online normalizer calculation for softmax", arXiv:1805.02867.

struct Params { heads: u32, kv_heads: u32, scale: f32 }

// head_dim / 4, at most 32.
override HEAD4: u32;

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> q: array<vec4f>;
@group(0) @binding(2) var<storage, read> k: array<vec4f>;
@group(0) @binding(3) var<storage, read> v: array<vec4f>;
@group(0) @binding(4) var<storage, read> ranges: array<vec2u>;
@group(0) @binding(5) var<storage, read_write> o: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> parts: array<vec4f>;

const THREADS = 256u;
const KEYS = 64u;
// Keys of a workgroup.
const SPLIT = 128u;
// Below any score; finite, since WGSL promises nothing about infinities.
const LOWEST = -1e30;

// Parts of scores, two tiles in turn; at the end the rows' outputs [row][column].
var<workgroup> tile: array<vec4f, 2u * THREADS>;
// (maximum, sum) of each row.
var<workgroup> merged: array<vec2f, 16>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = lane / 16u;
  let col = lane % 16u;
  let has0 = col < HEAD4;
  let has1 = col + 16u < HEAD4;
  let sequence = group.x;
  let head = group.y;
  let first = ranges[sequence].x + group.z * SPLIT;
  let end = min(ranges[sequence].y, first + SPLIT);
  if (first >= end) { return; }
  let at = (sequence * p.heads + head) * HEAD4 + col;
  var q0 = vec4f();
  var q1 = vec4f();
  if (has0) { q0 = q[at] * p.scale; }
  if (has1) { q1 = q[at + 16u] * p.scale; }
  let stride = p.kv_heads * HEAD4;
  let column = head / (p.heads / p.kv_heads) * HEAD4 + col;

  var highest = LOWEST;
  var total = 0.0;
  var acc0 = vec4f();
  var acc1 = vec4f();
  var half = 0u;
  for (var begin = first; begin < end; begin += KEYS) {
    let key = begin + row + vec4u(0u, 16u, 32u, 48u);
    let slot = min(key, vec4u(end - 1u)) * stride + column;
    var part = vec4f();
    if (has0) { part = vec4f(dot(q0, k[slot.x]), dot(q0, k[slot.y]), dot(q0, k[slot.z]), dot(q0, k[slot.w])); }
    if (has1) {
      part += vec4f(
        dot(q1, k[slot.x + 16u]),
        dot(q1, k[slot.y + 16u]),
        dot(q1, k[slot.z + 16u]),
        dot(q1, k[slot.w + 16u]),
      );
    }
    // The other half is still being read from the keys before: one barrier is enough.
    tile[half + lane] = part;
    workgroupBarrier();
    var score = vec4f();
    for (var j = 0u; j < 16u; j++) { score += tile[half + 16u * row + j]; }
    half = THREADS - half;
    score = select(vec4f(LOWEST), score, key < vec4u(end));
    let before = highest;
    highest = max(highest, max(max(score.x, score.y), max(score.z, score.w)));
    // A row without any key counts all of them as 1; the merge gives it the weight 0.
    let weight = exp(score - highest);
    let shrink = exp(before - highest);
    total = total * shrink + dot(weight, vec4f(1.0));
    if (has0) {
      acc0 = acc0 * shrink + weight.x * v[slot.x] + weight.y * v[slot.y] +
        weight.z * v[slot.z] + weight.w * v[slot.w];
    }
    if (has1) {
      acc1 = acc1 * shrink + weight.x * v[slot.x + 16u] + weight.y * v[slot.y + 16u] +
        weight.z * v[slot.z + 16u] + weight.w * v[slot.w + 16u];
    }
  }

  workgroupBarrier();
  tile[32u * row + col] = acc0;
  tile[32u * row + col + 16u] = acc1;
  if (col == 0u) { merged[row] = vec2f(highest, total); }
  workgroupBarrier();
  if (lane >= HEAD4) { return; }
  for (var j = 0u; j < 16u; j++) { highest = max(highest, merged[j].x); }
  total = 0.0;
  acc0 = vec4f();
  for (var j = 0u; j < 16u; j++) {
    let weight = exp(merged[j].x - highest);
    total += weight * merged[j].y;
    acc0 += weight * tile[32u * j + lane];
  }
  let row_at = sequence * p.heads + head;
  if (groups.z == 1u) {
    o[row_at * HEAD4 + lane] = acc0 / total;
    return;
  }
  let part = (row_at * groups.z + group.z) * (HEAD4 + 1u);
  parts[part + lane] = acc0;
  if (lane == 0u) { parts[part + HEAD4] = vec4f(highest, total, 0.0, 0.0); }
}
