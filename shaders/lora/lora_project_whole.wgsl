// out[m, r] = alpha·Σk x[m, k]·w[r, k] for up to three LoRA factors in one dispatch, as lora_project, for passes of
// many rows: there a workgroup takes all slices of its rows' depth and adds their sums in their order, to the same
// bits, so that no sum goes through memory and no second dispatch is needed. Where x is silu(gate)·up of a single
// factor, it is made of these two on its way, and may be stored.
// One workgroup per 16 rows × 32 ranks. Its 64 · GROUPS threads take GROUPS slices at once, 2 × 4 a thread, in chunks
// of 16 k; the next chunk is on its way while one is multiplied.
// References: as lora_project.
// requires: gate_up from lora/project_gate_up_by_{floats,halves}.wgsl

#include "lora/project_operands.wgsl"
@group(0) @binding(6) var<storage, read_write> out: array<f32>;
// Where STORED: x, of gate in x0 and up in x1.
@group(0) @binding(7) var<storage, read_write> made: array<vec4f>;

override GROUPS: u32 = 4u;
override GATED: bool = false;
override STORED: bool = false;

const LANES = 64u;
const TILE_M = 16u;
const TILE_R = 32u;
const CHUNK = 16u;
const STRIDE = 5u;  // vec4 between rows of a tile, 4 in use: neighboring rows fall into different banks
// vec4 of a group: a chunk of both sides, or its sums.
const X4 = TILE_M * STRIDE;
const GROUP4 = X4 + TILE_R * STRIDE;

var<workgroup> tile: array<vec4f, GROUP4 * GROUPS>;

// Whether this workgroup is the one that stores x: that of its rows' first ranks.
var<private> stores: bool;

#include "shared/mac_by_columns.wgsl"
#include "shared/silu.wgsl"

fn x_of(part: u32, i: u32) -> vec4f {
  if (GATED) {
    let pair = gate_up(i);
    let x = silu(pair.gate) * pair.up;
    if (STORED && stores) { made[i] = x; }
    return x;
  }
  if (part == 0u) { return x0[i]; }
  if (part == 1u) { return x1[i]; }
  return x2[i];
}

@compute @workgroup_size(LANES * GROUPS)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) thread: u32) {
  // Along x: the parts, of each its tiles.
  var part = 0u;
  var job = workgroup.x;
  while (part < 2u && job >= p.parts[part].tiles) {
    job -= p.parts[part].tiles;
    part++;
  }
  let depth = p.parts[part].depth;
  let rank = p.parts[part].rank;
  let slices = p.parts[part].slices;
  let alpha = p.parts[part].alpha;
  // The same for all groups: those behind the depth read zeros.
  let chunks = (min(p.slice_depth, depth) + CHUNK - 1u) / CHUNK;
  let first_m = workgroup.y * TILE_M;
  let first_r = job * TILE_R;
  stores = job == 0u;

  let lane = thread % LANES;
  let group = thread / LANES;
  let xs = group * GROUP4;
  let ws = xs + X4;
  // What a thread brings of each chunk: a quad of x; of w two quads, neighbors along the axis that is contiguous.
  let x_row = lane / 4u;
  let x_quad = lane % 4u;
  let w_row = select(lane / 4u, lane % 32u, W_BY_RANK);
  let w_quad = select(lane % 4u, lane / 32u, W_BY_RANK);
  let next_row = select(16u, 0u, W_BY_RANK);
  let next_quad = select(0u, 2u, W_BY_RANK);
  let m = first_m + x_row;
  let r = first_r + w_row;
  // A thread makes the rows ty and ty + 8 of the ranks tx + 8j.
  let tx = lane % 8u;
  let ty = lane / 8u;

  // A result's sum over the slices: of each two threads' worth of four ranks.
  var total: array<vec4f, 2>;
  for (var first = 0u; first < slices; first += GROUPS) {
    let begin = (first + group) * p.slice_depth;
    let end = min(begin + p.slice_depth, depth);
    var b0 = vec4f(); var b1 = vec4f(); var b2 = vec4f();
    var c0 = vec4f(); var c1 = vec4f();
    for (var chunk = 0u; chunk <= chunks; chunk++) {
      // The next chunk sets out …
      if (chunk < chunks) {
        let k = begin + chunk * CHUNK;
        b0 = x_at(part, depth, m, k + 4u * x_quad, end);
        b1 = w_at(part, depth, r, k + 4u * w_quad, end);
        b2 = w_at(part, depth, r + next_row, k + 4u * (w_quad + next_quad), end);
      }
      // … the one that lies in workgroup memory is used up …
      if (chunk > 0u) {
        for (var q = 0u; q < 4u; q++) {
          let wq = ws + tx * STRIDE + q;
          let w0 = tile[wq]; let w1 = tile[wq + 8u * STRIDE];
          let w2 = tile[wq + 16u * STRIDE]; let w3 = tile[wq + 24u * STRIDE];
          let xq = xs + ty * STRIDE + q;
          c0 = mac(c0, tile[xq], w0, w1, w2, w3);
          c1 = mac(c1, tile[xq + 8u * STRIDE], w0, w1, w2, w3);
        }
      }
      // … and the next takes its place, or at last the sums.
      workgroupBarrier();
      if (chunk < chunks) {
        tile[xs + x_row * STRIDE + x_quad] = b0;
        tile[ws + w_row * STRIDE + w_quad] = b1;
        tile[ws + (w_row + next_row) * STRIDE + w_quad + next_quad] = b2;
        workgroupBarrier();
      }
    }
    tile[xs + lane] = c0 * alpha;
    tile[xs + LANES + lane] = c1 * alpha;
    workgroupBarrier();
    for (var j = 0u; j * LANES * GROUPS < 2u * LANES; j++) {
      let sum = j * LANES * GROUPS + thread;
      if (sum >= 2u * LANES) { break; }
      for (var g = 0u; g < GROUPS; g++) { total[j] += tile[g * GROUP4 + sum]; }
    }
    // The first barrier of the next slices comes after all have read the sums.
  }

  for (var j = 0u; j * LANES * GROUPS < 2u * LANES; j++) {
    // Which of a group's sums these are.
    let sum = j * LANES * GROUPS + thread;
    let to_m = first_m + 8u * (sum / LANES) + (sum % LANES) / 8u;
    if (sum >= 2u * LANES || to_m >= p.rows) { break; }
    for (var i = 0u; i < 4u; i++) {
      let to_r = first_r + sum % 8u + 8u * i;
      if (to_r >= rank) { break; }
      out[p.parts[part].out_at + to_m * rank + to_r] = total[j][i];
    }
  }
}

#include "lora/dropout.wgsl"
