// out += Σt wide[t, w]·narrow[t, r] over the tokens t, for up to three LoRA factors in one dispatch: dB [w, r] +=
// dyᵀ·u, and, with the output lying as [r, w], dA += vᵀ·x. Where there would be few workgroups, the tokens are cut
// into slices, whose sums sum_slices adds in a fixed order. Dropout may mask x on its way in, for each factor by its
// own module. One workgroup per 64 w × 32 ranks of a slice, 8 × 4 a thread, chunks of 16 tokens; the next chunk is on
// its way while one is multiplied.
// Reference: E. J. Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", arXiv:2106.09685.

struct Part {
  width: u32, rank: u32,
  // Tiles of 64 w, of 32 ranks.
  wide_tiles: u32, rank_tiles: u32,
  // Where the part begins in `narrow`, in `out`, and, where there are several slices, in `partial`.
  narrow_at: u32, out_at: u32, partial_at: u32,
  module_key: u32,
}

struct Params { parts: array<Part, 3>, tokens: u32, slices: u32, slice_tokens: u32, threshold: u32, scale: f32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> wide0: array<vec4f>;
@group(0) @binding(2) var<storage, read> wide1: array<vec4f>;
@group(0) @binding(3) var<storage, read> wide2: array<vec4f>;
@group(0) @binding(4) var<storage, read> narrow: array<f32>;
@group(0) @binding(5) var<storage, read> token_keys: array<vec2u>;
@group(0) @binding(6) var<storage, read_write> out: array<f32>;
@group(0) @binding(7) var<storage, read_write> partial: array<f32>;

// True where the output lies as [r, w].
override OUT_BY_WIDTH: bool = false;
override DROPOUT: bool = false;

const THREADS = 64u;
const TILE_W = 64u;
const TILE_R = 32u;
const CHUNK = 16u;

var<workgroup> tile_wide: array<vec4f, CHUNK * TILE_W / 4u>;
var<workgroup> tile_narrow: array<vec4f, CHUNK * TILE_R / 4u>;

fn wide_of(part: u32, i: u32) -> vec4f {
  if (part == 0u) { return wide0[i]; }
  if (part == 1u) { return wide1[i]; }
  return wide2[i];
}

// wide[t, w … w + 3]
fn wide_at(part: u32, t: u32, w: u32, end: u32) -> vec4f {
  let width = p.parts[part].width;
  if (t >= end || w >= width) { return vec4f(); }
  let value = wide_of(part, (t * width + w) / 4u);
  if (!DROPOUT) { return value; }
  return dropped(value, t, w, p.parts[part].module_key);
}

fn narrow_at(part: u32, t: u32, r: u32, end: u32) -> f32 {
  let rank = p.parts[part].rank;
  if (t >= end || r >= rank) { return 0.0; }
  return narrow[p.parts[part].narrow_at + t * rank + r];
}

fn narrow4_at(part: u32, t: u32, r: u32, end: u32) -> vec4f {
  return vec4f(
    narrow_at(part, t, r, end),
    narrow_at(part, t, r + 1u, end),
    narrow_at(part, t, r + 2u, end),
    narrow_at(part, t, r + 3u, end),
  );
}

fn store(part: u32, slice: u32, w: u32, r: u32, value: vec4f) {
  let width = p.parts[part].width;
  let rank = p.parts[part].rank;
  if (w >= width) { return; }
  for (var j = 0u; j < 4u; j++) {
    if (r + j >= rank) { return; }
    let at = select(w * rank + r + j, (r + j) * width + w, OUT_BY_WIDTH);
    if (p.slices == 1u) { out[p.parts[part].out_at + at] += value[j]; }
    else { partial[p.parts[part].partial_at + slice * width * rank + at] = value[j]; }
  }
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  // Along x: the parts, of each its tiles; along y: the slices.
  var part = 0u;
  var tile = group.x;
  while (part < 2u && tile >= p.parts[part].wide_tiles * p.parts[part].rank_tiles) {
    tile -= p.parts[part].wide_tiles * p.parts[part].rank_tiles;
    part++;
  }
  let first_w = (tile / p.parts[part].rank_tiles) * TILE_W;
  let first_r = (tile % p.parts[part].rank_tiles) * TILE_R;
  let begin = group.y * p.slice_tokens;
  let end = min(begin + p.slice_tokens, p.tokens);

  // What a thread brings of each chunk: a quad of w of the tokens t + 4i, a quad of ranks of two tokens.
  let w = first_w + 4u * (lane % 16u);
  let t_wide = lane / 16u;
  let r = first_r + 4u * (lane % 8u);
  let t_narrow = lane / 8u;
  // A thread makes the w quads ty and ty + 8 and the rank quad tx; neighbors write neighboring addresses.
  let tx = select(lane % 8u, lane / 8u, OUT_BY_WIDTH);
  let ty = select(lane / 8u, lane % 8u, OUT_BY_WIDTH);

  var b0 = wide_at(part, begin + t_wide, w, end);
  var b1 = wide_at(part, begin + t_wide + 4u, w, end);
  var b2 = wide_at(part, begin + t_wide + 8u, w, end);
  var b3 = wide_at(part, begin + t_wide + 12u, w, end);
  var b4 = narrow4_at(part, begin + t_narrow, r, end);
  var b5 = narrow4_at(part, begin + t_narrow + 8u, r, end);
  var c0 = vec4f(); var c1 = vec4f(); var c2 = vec4f(); var c3 = vec4f();
  var c4 = vec4f(); var c5 = vec4f(); var c6 = vec4f(); var c7 = vec4f();
  for (var t = begin; t < end; t += CHUNK) {
    workgroupBarrier();
    tile_wide[lane] = b0;
    tile_wide[lane + 64u] = b1;
    tile_wide[lane + 128u] = b2;
    tile_wide[lane + 192u] = b3;
    tile_narrow[lane] = b4;
    tile_narrow[lane + 64u] = b5;
    workgroupBarrier();
    let next = t + CHUNK;
    b0 = wide_at(part, next + t_wide, w, end);
    b1 = wide_at(part, next + t_wide + 4u, w, end);
    b2 = wide_at(part, next + t_wide + 8u, w, end);
    b3 = wide_at(part, next + t_wide + 12u, w, end);
    b4 = narrow4_at(part, next + t_narrow, r, end);
    b5 = narrow4_at(part, next + t_narrow + 8u, r, end);
    for (var i = 0u; i < CHUNK; i++) {
      let n = tile_narrow[8u * i + tx];
      let wa = tile_wide[16u * i + ty];
      let wb = tile_wide[16u * i + ty + 8u];
      c0 += wa.x * n; c1 += wa.y * n; c2 += wa.z * n; c3 += wa.w * n;
      c4 += wb.x * n; c5 += wb.y * n; c6 += wb.z * n; c7 += wb.w * n;
    }
  }
  let wy = first_w + 4u * ty;
  let rx = first_r + 4u * tx;
  store(part, group.y, wy, rx, c0); store(part, group.y, wy + 1u, rx, c1);
  store(part, group.y, wy + 2u, rx, c2); store(part, group.y, wy + 3u, rx, c3);
  store(part, group.y, wy + 32u, rx, c4); store(part, group.y, wy + 33u, rx, c5);
  store(part, group.y, wy + 34u, rx, c6); store(part, group.y, wy + 35u, rx, c7);
}

#include "lora/dropout.wgsl"
