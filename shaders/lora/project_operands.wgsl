// What both kernels of LoRA's projection read: x and w, by parts.
// requires: x_of, dropped

struct Part {
  depth: u32, rank: u32,
  // Tiles of 32 ranks; slices of the depth.
  tiles: u32, slices: u32,
  // Where the part begins in `w` (in vec4), in `out`, and, where it has several slices, in `partial`.
  w_at: u32, out_at: u32, partial_at: u32,
  alpha: f32,
}

struct Params {
  parts: array<Part, 3>,
  rows: u32, slice_depth: u32,
  threshold: u32, scale: f32,
  // A vec3u is aligned to 16 bytes (https://www.w3.org/TR/WGSL/#memory-layouts): byte 112 is, so nothing is padded
  // here.
  module_keys: vec3u,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x0: array<vec4f>;
@group(0) @binding(2) var<storage, read> x1: array<vec4f>;
@group(0) @binding(3) var<storage, read> x2: array<vec4f>;
@group(0) @binding(4) var<storage, read> w: array<vec4f>;
@group(0) @binding(5) var<storage, read> token_keys: array<vec2u>;

// True where w lies as [k, r].
override W_BY_RANK: bool = false;
override DROPOUT: bool = false;

// x[m, k … k + 3]
fn x_at(part: u32, depth: u32, m: u32, k: u32, end: u32) -> vec4f {
  if (m >= p.rows || k >= end) { return vec4f(); }
  let x = x_of(part, (m * depth + k) / 4u);
  if (!DROPOUT) { return x; }
  return dropped(x, m, k, p.module_keys[part]);
}

fn w_scalar(i: u32) -> f32 { return w[i / 4u][i % 4u]; }

// w[r, k … k + 3]
fn w_at(part: u32, depth: u32, r: u32, k: u32, end: u32) -> vec4f {
  let rank = p.parts[part].rank;
  if (r >= rank || k >= end) { return vec4f(); }
  let at = p.parts[part].w_at;
  if (!W_BY_RANK) { return w[at + (r * depth + k) / 4u]; }
  let i = 4u * at + k * rank + r;
  return vec4f(w_scalar(i), w_scalar(i + rank), w_scalar(i + 2u * rank), w_scalar(i + 3u * rank));
}
