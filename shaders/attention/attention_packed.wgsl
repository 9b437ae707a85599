// attention on subgroup matrices whose operands attention_pack has packed: o = softmax(scale·q·kᵀ)·v and the
// log-sum-exp of each query's scores, of the key heads from `first` on.
//
// A subgroup has EDGE queries of one key head: the query heads that share it stand beside one another, token by
// token, so that few tokens, hence few keys that only some of them see, are in a block. Keys come EDGE at a time, for
// all blocks of a workgroup at once, which so find them in the same cache.
// Matrices of sums cannot be scaled row by row; but a row's weights may be taken relative to any number near its
// maximum: that is the first block's until a score is RISE above it. Only then do the sums leave the matrices, into
// o, where what is already there is scaled; that is seldom, and outside of the loop over keys.
// References: T. Dao, "FlashAttention-2: Faster Attention with Better Parallelism and Work Partitioning",
// arXiv:2307.08691; M. Milakov, N. Gimelshein, "Online normalizer calculation for softmax", arXiv:1805.02867.
// requires: M, N, K, SUBGROUP_SIZE, SUBGROUPS_M, SUBGROUPS_N from matrixHead
// requires: Sum, Left, load_left from shared/packed_matrix_by_{flag,order}_with_weights.wgsl
// requires: load_right, load_weights, store_sum, weights from shared/packed_matrix_by_{flag,order}_with_weights.wgsl
// requires: HEAD_DIM from headDimText

struct Params {
  tokens: u32, heads: u32, kv_heads: u32, scale: f32,
  // The last of the dispatch's tiles of queries; the first key head.
  last_tile: u32, first: u32,
  // Blocks of a key head's queries and of its keys, and where k and v begin; q begins with the tiles.
  q_blocks: u32, k_blocks: u32, k_at: u32, v_at: u32,
  // Where the scales of k and v begin.
  k_scales: u32, v_scales: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> tiles: array<f16>;
@group(0) @binding(2) var<storage, read> scales: array<vec2f>;
@group(0) @binding(3) var<storage, read> ranges: array<vec2u>;
@group(0) @binding(4) var<storage, read_write> o: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> stats: array<f32>;

#include "attention/packed_layout.wgsl"
#include "attention/packed_products.wgsl"
#include "attention/packed_add_split.wgsl"

const SUBGROUPS = SUBGROUPS_M * SUBGROUPS_N;
const THREADS = SUBGROUP_SIZE * SUBGROUPS;
const WEIGHTS = SUBGROUPS * EDGE * WEIGHTS_STRIDE;
// Below any score; finite, since WGSL promises nothing about infinities.
const LOWEST = -1e30;
// By log 2: weights are at most 2⁸, the ratio of a block of v to the scale of all at most 2⁶, its numbers below 2¹⁰:
// both halves of a weight fit f16.
const RISE = 8.0;
const HEADROOM = 64.0;
const LOG2_E = 1.4426950408889634;
// A row's invocations, and the rows and keys of each.
const ROW_LANES = max(1u, SUBGROUP_SIZE / EDGE);
const ROWS_EACH = max(1u, EDGE / SUBGROUP_SIZE);
const KEYS_EACH = EDGE / ROW_LANES;

// Of each row what its part of o, then its sums and its part of o, are multiplied by.
var<workgroup> row_factors: array<vec2f, SUBGROUPS * EDGE>;
var<workgroup> risen: array<u32, SUBGROUPS>;

// A subgroup's rows and where they go.
struct Target { row: u32, rows: u32, heads: u32, kv_head: u32, added: bool }

// Where the query and the head of a row are in [tokens, heads].
fn place(row: u32, heads: u32, kv_head: u32) -> u32 {
  return (row / heads) * p.heads + kv_head * heads + row % heads;
}

// Adds half of the columns to o, and begins anew.
fn drain(half: ptr<function, Half>, columns: u32, to: Target, subgroup: u32, lane: u32) {
  for (var strip = 0u; strip < HEAD_DIM / 2u / STRIP; strip++) {
    // Until the strip before has been read; the first finds the space free.
    if (columns + strip > 0u) { workgroupBarrier(); }
    put_strip(half, strip, subgroup * SUMS);
    workgroupBarrier();
    for (var i = lane; i < EDGE * STRIP / 4u; i += SUBGROUP_SIZE) {
      let r = i / (STRIP / 4u);
      let c = 4u * (i % (STRIP / 4u));
      if (to.row + r < to.rows) {
        let sum_at = subgroup * SUMS + r * STRIP + c;
        let at = (place(to.row + r, to.heads, to.kv_head) * HEAD_DIM + columns + strip * STRIP + c) / 4u;
        let by = row_factors[subgroup * EDGE + r];
        var value = vec4f(sums[sum_at], sums[sum_at + 1u], sums[sum_at + 2u], sums[sum_at + 3u]);
        if (to.added) { value += o[at] * by.x; }
        o[at] = value * by.y;
      }
    }
  }
  *half = Half();
}

@diagnostic(off, subgroup_uniformity)
@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(subgroup_id) subgroup_id: u32,
  @builtin(subgroup_invocation_id) lane_id: u32,
) {
  // So that the compiler knows their ranges.
  let subgroup = subgroup_id % SUBGROUPS;
  let lane = lane_id % SUBGROUP_SIZE;
  let heads = p.heads / p.kv_heads;
  let rows = p.tokens * heads;
  // Late queries see the most keys: the longest workgroups start first.
  let begin = SUBGROUPS * EDGE * (p.last_tile - group.x);
  let end = (min(begin + SUBGROUPS * EDGE, rows) - 1u) / heads + 1u;
  let row = begin + subgroup * EDGE;
  let q_block = group.y * p.q_blocks + min(row / EDGE, p.q_blocks - 1u);
  let q_factor = scales[q_block].x * p.scale * LOG2_E;

  let c = lane % ROW_LANES;
  var first_key: array<u32, ROWS_EACH>;
  // The row's keys before its own.
  var span: array<u32, ROWS_EACH>;
  var highest: array<f32, ROWS_EACH>;
  var total: array<f32, ROWS_EACH>; // this invocation's keys only, until the end
  var carry: array<f32, ROWS_EACH>;
  var shrink: array<f32, ROWS_EACH>;
  for (var i = 0u; i < ROWS_EACH; i++) {
    let token = min(row + lane / ROW_LANES + i * SUBGROUP_SIZE, rows - 1u) / heads;
    first_key[i] = ranges[token].x;
    span[i] = token - first_key[i];
    highest[i] = LOWEST;
  }
  var unit = 0.0;
  let scores_at = subgroup * SUMS;
  let weights_at = subgroup * EDGE * WEIGHTS_STRIDE;

  var left = Half();
  var right = Half();
  var key = ranges[begin / heads].x / EDGE * EDGE;
  var weighed = false;
  var added = false;
  loop {
    var done = false;
    loop {
      // The keys before these: by now it is known that their weights fit the sums.
      if (weighed) {
        let v_begin = p.v_at + (group.y * p.k_blocks + key / EDGE - 1u) * BLOCK;
        add_half(&left, weights_at, v_begin);
        add_half(&right, weights_at, v_begin + PART / 2u);
      }
      if (key >= end) {
        done = true;
        break;
      }
      let k_block = group.y * p.k_blocks + key / EDGE;
      put_scores(q_block * BLOCK, p.k_at + k_block * BLOCK, scores_at);
      workgroupBarrier();

      let v_scale = scales[p.v_scales + k_block].x;
      var rise = false;
      var shrink_v = 1.0;
      if (v_scale > unit * HEADROOM) {
        if (unit > 0.0) {
          rise = true;
          shrink_v = unit * inverse(v_scale);
        }
        unit = v_scale;
      }
      let ratio = v_scale * inverse(unit);
      let factor = scales[p.k_scales + k_block].x * q_factor;
      for (var i = 0u; i < ROWS_EACH; i++) {
        let r = lane / ROW_LANES + i * SUBGROUP_SIZE;
        let before = key + c * KEYS_EACH - first_key[i];
        var scores: array<f32, KEYS_EACH>;
        var most = LOWEST;
        for (var t = 0u; t < KEYS_EACH; t++) {
          let score = sums[scores_at + r * EDGE + c * KEYS_EACH + t] * factor;
          scores[t] = select(LOWEST, score, before + t <= span[i]);
          most = max(most, scores[t]);
        }
        for (var other = 1u; other < ROW_LANES; other *= 2u) { most = max(most, subgroupShuffleXor(most, other)); }
        shrink[i] = shrink_v;
        if (most > highest[i] + RISE) {
          let by = exp2(highest[i] - most);
          rise = rise || highest[i] > LOWEST;
          highest[i] = most;
          total[i] *= by;
          shrink[i] *= by;
        }
        // Above what hidden keys score, also where there are no others.
        let relative_to = max(highest[i], LOWEST / 2.0);
        for (var t = 0u; t < KEYS_EACH; t++) {
          let weight = exp2(scores[t] - relative_to);
          total[i] += weight;
          put_weight(weights_at + r * WEIGHTS_STRIDE + c * KEYS_EACH + t, weight * ratio);
        }
      }
      weighed = true;
      key += EDGE;
      let subgroup_rises = subgroupAny(rise);
      if (lane == 0u) { risen[subgroup] = u32(subgroup_rises); }
      let rises = workgroupUniformLoad(&risen);
      var some = 0u;
      for (var i = 0u; i < SUBGROUPS; i++) { some |= rises[i]; }
      if (some != 0u) { break; }
    }

    for (var i = 0u; i < ROWS_EACH; i++) {
      let r = lane / ROW_LANES + i * SUBGROUP_SIZE;
      var by = 1.0;
      if (done) {
        var sum = total[i];
        for (var other = 1u; other < ROW_LANES; other *= 2u) { sum += subgroupShuffleXor(sum, other); }
        by = unit / sum;
        if (c == 0u && row + r < rows) {
          stats[2u * place(row + r, heads, p.first + group.y)] = (highest[i] + log2(sum)) / LOG2_E;
        }
      }
      if (c == 0u) { row_factors[subgroup * EDGE + r] = vec2f(carry[i], by); }
      carry[i] = shrink[i];
    }
    let to = Target(row, rows, heads, p.first + group.y, added);
    drain(&left, 0u, to, subgroup, lane);
    drain(&right, HEAD_DIM / 2u, to, subgroup, lane);
    added = true;
    if (done) { break; }
    workgroupBarrier();
  }
}
