// out[m, r] = alpha·Σk x[m, k]·w[r, k] for up to three LoRA factors in one dispatch: u = s·x·Aᵀ, and, with w lying as
// [k, r], v = s·dy·B. The output is narrow and the depth long: where there would be few workgroups, the depth is cut
// into slices, whose sums sum_slices adds in a fixed order. Dropout may mask x on its way in, for each factor
// by its own module.
// One workgroup per 64 rows × 32 ranks of a slice, 8 × 4 a thread, chunks of 16 k; the next chunk is on its way while
// one is multiplied.
// References: E. J. Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", arXiv:2106.09685 (s =
// alpha/rank); "A Rank Stabilization Scaling Factor for Fine-Tuning with LoRA", arXiv:2312.03732 (s = alpha/√rank).

#include "lora/project_operands.wgsl"
@group(0) @binding(6) var<storage, read_write> out: array<f32>;
@group(0) @binding(7) var<storage, read_write> partial: array<f32>;

const THREADS = 64u;
const TILE_M = 64u;
const TILE_R = 32u;
const CHUNK = 16u;
const STRIDE = 5u;  // vec4 between rows of a tile, 4 in use: neighboring rows fall into different banks

var<workgroup> tile_x: array<vec4f, TILE_M * STRIDE>;
var<workgroup> tile_w: array<vec4f, TILE_R * STRIDE>;

#include "shared/mac_by_columns.wgsl"

fn x_of(part: u32, i: u32) -> vec4f {
  if (part == 0u) { return x0[i]; }
  if (part == 1u) { return x1[i]; }
  return x2[i];
}

fn store(part: u32, slice: u32, m: u32, r: u32, value: vec4f) {
  if (m >= p.rows) { return; }
  let rank = p.parts[part].rank;
  let scaled = value * p.parts[part].alpha;
  for (var j = 0u; j < 4u; j++) {
    if (r + 8u * j >= rank) { return; }
    let at = m * rank + r + 8u * j;
    if (p.parts[part].slices == 1u) { out[p.parts[part].out_at + at] = scaled[j]; }
    else { partial[p.parts[part].partial_at + slice * p.rows * rank + at] = scaled[j]; }
  }
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  // Along x: the parts, of each its slices, of each its tiles.
  var part = 0u;
  var job = group.x;
  while (part < 2u && job >= p.parts[part].tiles * p.parts[part].slices) {
    job -= p.parts[part].tiles * p.parts[part].slices;
    part++;
  }
  let depth = p.parts[part].depth;
  let slice = job / p.parts[part].tiles;
  let begin = slice * p.slice_depth;
  let end = min(begin + p.slice_depth, depth);
  let first_m = group.y * TILE_M;
  let first_r = (job % p.parts[part].tiles) * TILE_R;

  // What a thread brings of each chunk: a column quad of the rows x_row + 16i; of w two quads, neighbors along the
  // axis that is contiguous.
  let x_row = lane / 4u;
  let x_quad = lane % 4u;
  let w_row = select(lane / 4u, lane % 32u, W_BY_RANK);
  let w_quad = select(lane % 4u, lane / 32u, W_BY_RANK);
  let next_row = select(16u, 0u, W_BY_RANK);
  let next_quad = select(0u, 2u, W_BY_RANK);
  let m = first_m + x_row;
  let r = first_r + w_row;
  // A thread makes the rows ty + 8i and the ranks tx + 8j.
  let tx = lane % 8u;
  let ty = lane / 8u;
  // Decoding: no more than the first eighth of the tile is there.
  let few = p.rows - first_m <= 8u;

  var b0 = vec4f(); var b1 = vec4f(); var b2 = vec4f(); var b3 = vec4f();
  var b4 = vec4f(); var b5 = vec4f();
  var c0 = vec4f(); var c1 = vec4f(); var c2 = vec4f(); var c3 = vec4f();
  var c4 = vec4f(); var c5 = vec4f(); var c6 = vec4f(); var c7 = vec4f();
  let chunks = (end - begin + CHUNK - 1u) / CHUNK;
  for (var chunk = 0u; chunk <= chunks; chunk++) {
    // The next chunk sets out …
    if (chunk < chunks) {
      let k = begin + chunk * CHUNK;
      let x_k = k + 4u * x_quad;
      let w_k = k + 4u * w_quad;
      b0 = x_at(part, depth, m, x_k, end);
      b1 = x_at(part, depth, m + 16u, x_k, end);
      b2 = x_at(part, depth, m + 32u, x_k, end);
      b3 = x_at(part, depth, m + 48u, x_k, end);
      b4 = w_at(part, depth, r, w_k, end);
      b5 = w_at(part, depth, r + next_row, w_k + 4u * next_quad, end);
    }
    // … the one that lies in workgroup memory is used up …
    if (chunk > 0u) {
      for (var q = 0u; q < 4u; q++) {
        let ws = tx * STRIDE + q;
        let w0 = tile_w[ws]; let w1 = tile_w[ws + 8u * STRIDE];
        let w2 = tile_w[ws + 16u * STRIDE]; let w3 = tile_w[ws + 24u * STRIDE];
        let xs = ty * STRIDE + q;
        c0 = mac(c0, tile_x[xs], w0, w1, w2, w3);
        if (few) { continue; }
        c1 = mac(c1, tile_x[xs + 8u * STRIDE], w0, w1, w2, w3);
        c2 = mac(c2, tile_x[xs + 16u * STRIDE], w0, w1, w2, w3);
        c3 = mac(c3, tile_x[xs + 24u * STRIDE], w0, w1, w2, w3);
        c4 = mac(c4, tile_x[xs + 32u * STRIDE], w0, w1, w2, w3);
        c5 = mac(c5, tile_x[xs + 40u * STRIDE], w0, w1, w2, w3);
        c6 = mac(c6, tile_x[xs + 48u * STRIDE], w0, w1, w2, w3);
        c7 = mac(c7, tile_x[xs + 56u * STRIDE], w0, w1, w2, w3);
      }
    }
    workgroupBarrier();
    // … and the next takes its place.
    if (chunk < chunks) {
      tile_x[x_row * STRIDE + x_quad] = b0;
      tile_x[(x_row + 16u) * STRIDE + x_quad] = b1;
      tile_x[(x_row + 32u) * STRIDE + x_quad] = b2;
      tile_x[(x_row + 48u) * STRIDE + x_quad] = b3;
      tile_w[w_row * STRIDE + w_quad] = b4;
      tile_w[(w_row + next_row) * STRIDE + w_quad + next_quad] = b5;
    }
    workgroupBarrier();
  }
  let my = first_m + ty;
  let rx = first_r + tx;
  // Picked as in shared/tile_store.wgsl.
  for (var i = 0u; i < 8u; i++) {
    var sums = c0;
    if (i == 1u) { sums = c1; }
    if (i == 2u) { sums = c2; }
    if (i == 3u) { sums = c3; }
    if (i == 4u) { sums = c4; }
    if (i == 5u) { sums = c5; }
    if (i == 6u) { sums = c6; }
    if (i == 7u) { sums = c7; }
    store(part, slice, my + 8u * i, rx, sums);
  }
}

#include "lora/dropout.wgsl"
