// Gradients of LoRA, in one dispatch: up to three dB [w, r] += dyᵀ·u and three dA [r, w] += vᵀ·x that share their
// input x, sums over the tokens. The tokens are cut into slices, each with a sum of its own; these are added in their
// order, so that a result has the bits of slices summed apart. Dropout may mask x on its way in, for each pair by its
// own module; where x is silu(gate)·up, it may be made of these two here.
// One workgroup per 32 w × 32 ranks. Its 64 · GROUPS threads take GROUPS slices at once, 4 × 4 a thread, in chunks of
// 16 tokens; the next chunk is on its way while one is multiplied.
// Reference: E. J. Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", arXiv:2106.09685.

struct Part {
  width: u32, rank: u32,
  // Tiles of 32 w, of 32 ranks.
  wide_tiles: u32, rank_tiles: u32,
  // Where the part begins in u or v, and in `out`.
  narrow_at: u32, out_at: u32,
  // A multiple of the chunk.
  slice_tokens: u32,
  module_key: u32,
}

// The parts: `b_parts` of dB, then those of dA.
struct Params { parts: array<Part, 6>, b_parts: u32, tokens: u32, threshold: u32, scale: f32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> dy0: array<vec4f>;
// Where GATED: up.
@group(0) @binding(2) var<storage, read> dy1: array<vec4f>;
@group(0) @binding(3) var<storage, read> dy2: array<vec4f>;
// Where GATED: gate.
@group(0) @binding(4) var<storage, read> x: array<vec4f>;
@group(0) @binding(5) var<storage, read> u: array<f32>;
@group(0) @binding(6) var<storage, read> v: array<f32>;
@group(0) @binding(7) var<storage, read> token_keys: array<vec2u>;
@group(0) @binding(8) var<storage, read_write> out: array<f32>;

override GROUPS: u32 = 4u;
override DROPOUT: bool = false;
override GATED: bool = false;

const LANES = 64u;
const TILE = 32u;
const CHUNK = 16u;
// vec4 of a group: a chunk of both sides, or its sums.
const WIDE4 = CHUNK * TILE / 4u;
const GROUP4 = 2u * WIDE4;

var<workgroup> tile: array<vec4f, GROUP4 * GROUPS>;

#include "shared/silu.wgsl"

fn x_at(i: u32) -> vec4f {
  if (GATED) { return silu(x[i]) * dy1[i]; }
  return x[i];
}

// dy or x, [t, w … w + 3]
fn wide_at(part: u32, width: u32, t: u32, w: u32, end: u32) -> vec4f {
  if (t >= end || w >= width) { return vec4f(); }
  let i = (t * width + w) / 4u;
  if (part >= p.b_parts) {
    let value = x_at(i);
    if (!DROPOUT) { return value; }
    return dropped(value, t, w, p.parts[part].module_key);
  }
  if (part == 0u) { return dy0[i]; }
  if (part == 1u) { return dy1[i]; }
  return dy2[i];
}

// u or v, which lie from `at` on, [t, r … r + 3]
fn narrow4_at(part: u32, rank: u32, at: u32, t: u32, r: u32, end: u32) -> vec4f {
  if (t >= end) { return vec4f(); }
  return vec4f(
    narrow_at(part, rank, at + t * rank, r),
    narrow_at(part, rank, at + t * rank, r + 1u),
    narrow_at(part, rank, at + t * rank, r + 2u),
    narrow_at(part, rank, at + t * rank, r + 3u),
  );
}

fn narrow_at(part: u32, rank: u32, row: u32, r: u32) -> f32 {
  if (r >= rank) { return 0.0; }
  if (part >= p.b_parts) { return v[row + r]; }
  return u[row + r];
}

@compute @workgroup_size(LANES * GROUPS)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) thread: u32) {
  var part = 0u;
  var job = workgroup.x;
  while (part < 5u && job >= p.parts[part].wide_tiles * p.parts[part].rank_tiles) {
    job -= p.parts[part].wide_tiles * p.parts[part].rank_tiles;
    part++;
  }
  let first_w = (job / p.parts[part].rank_tiles) * TILE;
  let first_r = (job % p.parts[part].rank_tiles) * TILE;
  let slice_tokens = p.parts[part].slice_tokens;
  let width = p.parts[part].width;
  let rank = p.parts[part].rank;
  let narrow_begin = p.parts[part].narrow_at;
  let slices = (p.tokens + slice_tokens - 1u) / slice_tokens;
  // The same for all groups: those behind the last token read zeros.
  let chunks = (min(slice_tokens, p.tokens) + CHUNK - 1u) / CHUNK;

  let lane = thread % LANES;
  let group = thread / LANES;
  let wides = group * GROUP4;
  let narrows = wides + WIDE4;
  // What a thread brings of each chunk: a quad of w and one of ranks, of two tokens each.
  let tx = lane % 8u;
  let ty = lane / 8u;
  let w = first_w + 4u * tx;
  let r = first_r + 4u * tx;

  var total: array<vec4f, 4>;
  for (var first = 0u; first < slices; first += GROUPS) {
    let begin = (first + group) * slice_tokens;
    let end = min(begin + slice_tokens, p.tokens);
    var b0 = vec4f(); var b1 = vec4f(); var b2 = vec4f(); var b3 = vec4f();
    // A thread makes the w quad ty of the rank quad tx.
    var c0 = vec4f(); var c1 = vec4f(); var c2 = vec4f(); var c3 = vec4f();
    for (var chunk = 0u; chunk <= chunks; chunk++) {
      // The next chunk sets out …
      if (chunk < chunks) {
        let t = begin + chunk * CHUNK + ty;
        b0 = wide_at(part, width, t, w, end);
        b1 = wide_at(part, width, t + 8u, w, end);
        b2 = narrow4_at(part, rank, narrow_begin, t, r, end);
        b3 = narrow4_at(part, rank, narrow_begin, t + 8u, r, end);
      }
      // … the one that lies in workgroup memory is used up …
      if (chunk > 0u) {
        for (var i = 0u; i < CHUNK; i++) {
          let n = tile[narrows + 8u * i + tx];
          let a = tile[wides + 8u * i + ty];
          c0 += a.x * n; c1 += a.y * n; c2 += a.z * n; c3 += a.w * n;
        }
      }
      // … and the next takes its place, or at last the sums.
      workgroupBarrier();
      if (chunk < chunks) {
        tile[wides + lane] = b0;
        tile[wides + lane + LANES] = b1;
        tile[narrows + lane] = b2;
        tile[narrows + lane + LANES] = b3;
        workgroupBarrier();
      }
    }
    tile[wides + lane] = c0;
    tile[wides + LANES + lane] = c1;
    tile[wides + 2u * LANES + lane] = c2;
    tile[wides + 3u * LANES + lane] = c3;
    workgroupBarrier();
    for (var j = 0u; j < 4u / GROUPS; j++) {
      for (var g = 0u; g < GROUPS; g++) { total[j] += tile[g * GROUP4 + j * LANES * GROUPS + thread]; }
    }
    // The first barrier of the next slices comes after all have read the sums.
  }

  // The gradient so far is read before anything is written, from the nearest places in range: beside each store, it
  // would wait on its own.
  let to_r = first_r + 4u * (thread % 8u);
  for (var j = 0u; j < 4u / GROUPS; j++) {
    let to_w = min(first_w + column_of(j, thread), width - 1u);
    for (var i = 0u; i < 4u; i++) { total[j][i] += out[place(part, to_w, min(to_r + i, rank - 1u), width)]; }
  }
  for (var j = 0u; j < 4u / GROUPS; j++) {
    let to_w = first_w + column_of(j, thread);
    for (var i = 0u; i < 4u; i++) {
      if (to_w < width && to_r + i < rank) { out[place(part, to_w, to_r + i, width)] = total[j][i]; }
    }
  }
}

// Where the gradient of column w and rank r lies.
fn place(part: u32, w: u32, r: u32, width: u32) -> u32 {
  return p.parts[part].out_at + select(w * p.parts[part].rank + r, r * width + w, part >= p.b_parts);
}

// The column of a group's tile whose sums these are: four ranks, from 4 · (thread % 8) on.
fn column_of(j: u32, thread: u32) -> u32 {
  let sum = j * LANES * GROUPS + thread;
  return 4u * ((sum % LANES) / 8u) + sum / LANES;
}

#include "lora/dropout.wgsl"
