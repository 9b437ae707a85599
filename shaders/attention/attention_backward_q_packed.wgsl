// attention_backward_q on subgroup matrices whose operands attention_pack has packed: dq = scale·Σ_keys ds·k, of the
// key heads from `first` on.
//
// A subgroup has EDGE queries of one key head, as in attention_packed; keys come sixteen at a time.
// Reference: T. Dao, "FlashAttention-2: Faster Attention with Better Parallelism and Work Partitioning",
// arXiv:2307.08691 (backward).
// requires: M, N, K, SUBGROUP_SIZE, SUBGROUPS_M, SUBGROUPS_N from matrixHead
// requires: Sum, Left, load_left from shared/packed_matrix_by_{flag,order}_with_weights.wgsl
// requires: load_right, load_weights, store_sum, weights from shared/packed_matrix_by_{flag,order}_with_weights.wgsl
// requires: HEAD_DIM from headDimText

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> tiles: array<f16>;
// Of each block the scale and, of those of do, the largest |delta|.
@group(0) @binding(2) var<storage, read> scales: array<vec2f>;
// Of each row the first key that it sees, the last, log-sum-exp by log 2 and delta.
@group(0) @binding(3) var<storage, read> row_values: array<vec4u>;
@group(0) @binding(4) var<storage, read> ranges: array<vec2u>;
@group(0) @binding(5) var<storage, read_write> dq: array<vec4f>;

#include "attention/packed_layout.wgsl"
#include "attention/packed_backward.wgsl"
#include "attention/packed_products.wgsl"
#include "attention/packed_add_split.wgsl"

const SUBGROUPS = SUBGROUPS_M * SUBGROUPS_N;
const THREADS = SUBGROUP_SIZE * SUBGROUPS;
const WEIGHTS = SUBGROUPS * EDGE * WEIGHTS_STRIDE;
// A row's invocations, and the rows and keys of each.
const ROW_LANES = max(1u, SUBGROUP_SIZE / EDGE);
const ROWS_EACH = max(1u, EDGE / SUBGROUP_SIZE);
const KEYS_EACH = EDGE / ROW_LANES;

// A subgroup's rows and where they go; the unit of their sums.
struct Target { row: u32, rows: u32, heads: u32, kv_head: u32, unit: f32, added: bool }

// Adds half of the columns to dq, and begins anew.
fn drain(half: ptr<function, Half>, columns: u32, to: Target, subgroup: u32, lane: u32) {
  for (var strip = 0u; strip < HEAD_DIM / 2u / STRIP; strip++) {
    // Until the strip before has been read; the first finds the space free.
    if (columns + strip > 0u) { workgroupBarrier(); }
    put_strip(half, strip, subgroup * SUMS);
    workgroupBarrier();
    for (var i = lane; i < EDGE * STRIP / 4u; i += SUBGROUP_SIZE) {
      let r = i / (STRIP / 4u);
      let c = 4u * (i % (STRIP / 4u));
      let row = to.row + r;
      if (row < to.rows) {
        let place = (row / to.heads) * p.heads + to.kv_head * to.heads + row % to.heads;
        let sum_at = subgroup * SUMS + r * STRIP + c;
        let at = (place * HEAD_DIM + columns + strip * STRIP + c) / 4u;
        var value = vec4f(sums[sum_at], sums[sum_at + 1u], sums[sum_at + 2u], sums[sum_at + 3u]) * to.unit;
        if (to.added) { value += dq[at]; }
        dq[at] = value;
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
  let begin = SUBGROUPS * EDGE * (p.tile - group.x);
  let end = (min(begin + SUBGROUPS * EDGE, rows) - 1u) / heads + 1u;
  let row = begin + subgroup * EDGE;
  let q_block = group.y * p.q_blocks + min(row / EDGE, p.q_blocks - 1u);
  let do_scale = scales[p.do_scales + q_block].x;
  let q_factor = scales[q_block].x * p.scale * LOG2_E;
  // The largest |delta| of the workgroup in its block's scale of do.
  var most_delta = 0.0;
  for (var i = 0u; i < SUBGROUPS; i++) {
    let of_do = scales[p.do_scales + group.y * p.q_blocks + min(begin / EDGE + i, p.q_blocks - 1u)];
    most_delta = max(most_delta, of_do.y * inverse(of_do.x));
  }

  let c = lane % ROW_LANES;
  var first_key: array<u32, ROWS_EACH>;
  // The row's keys before its own; of a row that is not there, none.
  var span: array<u32, ROWS_EACH>;
  var lse: array<f32, ROWS_EACH>;
  var delta: array<f32, ROWS_EACH>;
  for (var i = 0u; i < ROWS_EACH; i++) {
    let value = row_values[q_block * EDGE + lane / ROW_LANES + i * SUBGROUP_SIZE];
    first_key[i] = select(0xffffffffu, value.x, value.x <= value.y);
    span[i] = value.y - min(value.x, value.y);
    lse[i] = bitcast<f32>(value.z);
    delta[i] = bitcast<f32>(value.w) * inverse(do_scale);
  }
  let scores_at = subgroup * SUMS;
  let weights_at = subgroup * EDGE * WEIGHTS_STRIDE;

  var left = Half();
  var right = Half();
  var unit = 0.0;
  var key = ranges[begin / heads].x / EDGE * EDGE;
  var weighed = false;
  var added = false;
  loop {
    var done = false;
    var before = unit;
    loop {
      // The keys before these, whose ds are in the sums' unit.
      if (weighed) {
        let k_begin = p.k_columns + (group.y * p.k_blocks + key / EDGE - 1u) * BLOCK;
        add_half(&left, weights_at, k_begin);
        add_half(&right, weights_at, k_begin + PART / 2u);
      }
      if (key >= end) {
        done = true;
        break;
      }
      let k_block = group.y * p.k_blocks + key / EDGE;
      put_scores(q_block * BLOCK, p.k_at + k_block * BLOCK, scores_at);
      put_scores(p.do_at + q_block * BLOCK, p.v_at + k_block * BLOCK, scores_at + EDGE * EDGE);
      workgroupBarrier();

      let k_scale = scales[p.k_scales + k_block].x;
      let v_scale = scales[p.v_scales + k_block].x;
      before = unit;
      let most = max(most_delta, BOUND * v_scale) * k_scale;
      if (unit == 0.0 || most > unit * MAX_DS) { unit = power_below(most, 12u); }
      let factor = k_scale * q_factor;
      let ratio = k_scale * inverse(unit);
      for (var i = 0u; i < ROWS_EACH; i++) {
        let r = lane / ROW_LANES + i * SUBGROUP_SIZE;
        let after = key + c * KEYS_EACH - first_key[i];
        for (var t = 0u; t < KEYS_EACH; t++) {
          let at = scores_at + r * EDGE + c * KEYS_EACH + t;
          let weight = select(0.0, exp2(sums[at] * factor - lse[i]), after + t <= span[i]);
          let ds = weight * (sums[at + EDGE * EDGE] * v_scale - delta[i]);
          put_weight(weights_at + r * WEIGHTS_STRIDE + c * KEYS_EACH + t, ds * ratio);
        }
      }
      workgroupBarrier();
      weighed = true;
      key += EDGE;
      if (before > 0.0 && before != unit) { break; }
    }
    let to = Target(row, rows, heads, p.first + group.y, select(before, unit, done) * p.scale * do_scale, added);
    drain(&left, 0u, to, subgroup, lane);
    drain(&right, HEAD_DIM / 2u, to, subgroup, lane);
    added = true;
    if (done) { break; }
    workgroupBarrier();
  }
}
