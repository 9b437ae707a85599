// attention_backward_kv on subgroup matrices whose operands attention_pack has packed: dv = Σ_queries p·do and
// dk = scale·Σ_queries ds·q, of the key heads from `first` on.
//
// Two subgroups share EDGE keys of one key head: one makes the scores and adds up dv, the other makes do·vᵀ and adds
// up dk; both weigh. Blocks of queries come one at a time, for all pairs of a workgroup at once; the blocks of a key
// head are split among `parts` workgroups, whose sums lie one behind the other.
// Reference: T. Dao, "FlashAttention-2: Faster Attention with Better Parallelism and Work Partitioning",
// arXiv:2307.08691 (backward).
// requires: M, N, K, SUBGROUP_SIZE, SUBGROUPS_M, SUBGROUPS_N from matrixHead
// requires: Sum, Left, load_left from shared/packed_matrix_by_{flag,order}_with_weights.wgsl
// requires: load_right, load_weights, store_sum, weights from shared/packed_matrix_by_{flag,order}_with_weights.wgsl
// requires: HEAD_DIM from headDimText

@group(0) @binding(0) var<uniform> p: Params;
// Written by nobody: shares of dk and dv may lie in the same buffer.
@group(0) @binding(1) var<storage, read_write> tiles: array<f16>;
// Of each block the scale and, of those of do, the largest |delta|.
@group(0) @binding(2) var<storage, read_write> scales: array<vec2f>;
// Of each row the first key that it sees, the last, log-sum-exp by log 2 and delta.
@group(0) @binding(3) var<storage, read_write> row_values: array<vec4u>;
@group(0) @binding(4) var<storage, read> ranges: array<vec2u>;
@group(0) @binding(5) var<storage, read_write> dk: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> dv: array<vec4f>;

#include "attention/packed_layout.wgsl"
#include "attention/packed_backward.wgsl"
#include "attention/packed_products.wgsl"

const SUBGROUPS = SUBGROUPS_M * SUBGROUPS_N;
const THREADS = SUBGROUP_SIZE * SUBGROUPS;
const PAIRS = SUBGROUPS / 2u;
const PAIR_SIZE = 2u * SUBGROUP_SIZE;
const WEIGHTS_STRIDE = EDGE + 8u;
const WEIGHTS = SUBGROUPS * EDGE * WEIGHTS_STRIDE;
// p becomes f16 in units of which do's largest scale is 2⁸ at first and 2¹² at most.
const MAX_P = 4096.0;

var<workgroup> new_units: u32;

// A subgroup's keys and where they go; whether its sums are dv or dk, and their unit.
struct Target { key: u32, at: u32, of_dv: bool, unit: f32, added: bool }

// Adds the products of a subgroup's weights with half of the columns of a block.
fn add_half(half: ptr<function, Half>, weights_at: u32, right_at: u32) {
  for (var k = 0u; k < EDGE; k += u32(K)) {
    var lefts: array<Left, DOWN>;
    for (var m = 0u; m < DOWN; m++) { lefts[m] = load_weights(weights_at + m * u32(M) * WEIGHTS_STRIDE + k); }
    for (var n = 0u; n < COLUMNS; n++) {
      let right = load_right(right_at + n * u32(N) * EDGE + k);
      for (var m = 0u; m < DOWN; m++) {
        let i = m * COLUMNS + n;
        (*half)[i] = subgroupMatrixMultiplyAccumulate(lefts[m], right, (*half)[i]);
      }
    }
  }
}

// Adds half of the columns to dk or dv, and begins anew.
fn drain(half: ptr<function, Half>, columns: u32, to: Target, subgroup: u32, lane: u32) {
  for (var strip = 0u; strip < HEAD_DIM / 2u / STRIP; strip++) {
    // Until the strip before has been read; the first finds the space free.
    if (columns + strip > 0u) { workgroupBarrier(); }
    put_strip(half, strip, subgroup * SUMS);
    workgroupBarrier();
    for (var i = lane; i < EDGE * STRIP / 4u; i += SUBGROUP_SIZE) {
      let r = i / (STRIP / 4u);
      let c = 4u * (i % (STRIP / 4u));
      if (to.key + r < p.tokens) {
        let sum_at = subgroup * SUMS + r * STRIP + c;
        let at = (to.at + r * p.kv_heads * HEAD_DIM + columns + strip * STRIP + c) / 4u;
        var value = vec4f(sums[sum_at], sums[sum_at + 1u], sums[sum_at + 2u], sums[sum_at + 3u]) * to.unit;
        if (to.of_dv) {
          if (to.added) { value += dv[at]; }
          dv[at] = value;
        } else {
          if (to.added) { value += dk[at]; }
          dk[at] = value;
        }
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
  let pair = subgroup % PAIRS;
  let of_dv = subgroup < PAIRS;
  let head = group.y / p.parts;
  let part = group.y % p.parts;
  let heads = p.heads / p.kv_heads;
  let begin = EDGE * PAIRS * (p.tile + group.x);
  let key = begin + pair * EDGE;
  let k_block = head * p.k_blocks + min(key / EDGE, p.k_blocks - 1u);
  let k_factor = scales[p.k_scales + k_block].x * p.scale * LOG2_E;
  let v_scale = scales[p.v_scales + k_block].x;
  var most_v = 0.0;
  for (var i = 0u; i < PAIRS; i++) {
    most_v = max(most_v, scales[p.v_scales + head * p.k_blocks + min(begin / EDGE + i, p.k_blocks - 1u)].x);
  }
  // No query past the document of the last key sees any of these keys.
  let query_end = ranges[min(begin + EDGE * PAIRS, p.tokens) - 1u].y;
  let first = begin * heads / EDGE;
  let share = ((query_end * heads - 1u) / EDGE - first) / p.parts + 1u;
  var block = first + part * share;
  let end = min(block + share, (query_end * heads - 1u) / EDGE + 1u);

  // k with q and q's columns, or v with do and do's: dv takes do's columns, dk those of q.
  let left_at = select(p.v_at, p.k_at, of_dv) + k_block * BLOCK;
  let right_at = select(p.do_at, 0u, of_dv) + head * p.q_blocks * BLOCK;
  let columns_at = select(p.q_columns, p.do_columns, of_dv) + head * p.q_blocks * PART;
  let scores_at = pair * SUMS;
  let products_at = (PAIRS + pair) * SUMS;
  let p_at = pair * EDGE * WEIGHTS_STRIDE;
  let ds_at = (PAIRS + pair) * EDGE * WEIGHTS_STRIDE;

  var left = Half();
  var right = Half();
  var unit = vec2f();
  var weighed = false;
  var added = false;
  loop {
    var done = false;
    var before = unit;
    loop {
      // The queries before these, whose weights are in the sums' unit.
      if (weighed) {
        let columns = columns_at + (block - 1u) * PART;
        add_half(&left, select(ds_at, p_at, of_dv), columns);
        add_half(&right, select(ds_at, p_at, of_dv), columns + PART / 2u);
      }
      if (block >= end) {
        done = true;
        break;
      }
      let q_block = head * p.q_blocks + block;
      put_scores(left_at, right_at + block * BLOCK, subgroup * SUMS);
      let q_scale = scales[q_block].x;
      let of_do = scales[p.do_scales + q_block];
      before = unit;
      let most_ds = max(of_do.y, BOUND * of_do.x * most_v) * q_scale;
      if (unit.x == 0.0 || of_do.x > unit.x * MAX_P) { unit.x = power_below(of_do.x, 8u); }
      if (unit.y == 0.0 || most_ds > unit.y * MAX_DS) { unit.y = power_below(most_ds, 12u); }
      workgroupBarrier();

      let factor = k_factor * q_scale;
      let dp_factor = v_scale * of_do.x;
      let p_ratio = of_do.x * inverse(unit.x);
      let ds_ratio = q_scale * inverse(unit.y);
      for (var i = select(SUBGROUP_SIZE, 0u, of_dv) + lane; i < EDGE * EDGE; i += PAIR_SIZE) {
        let value = row_values[q_block * EDGE + i % EDGE];
        let r = i / EDGE;
        let seen = key + r >= value.x && key + r <= value.y;
        let weight = select(0.0, exp2(sums[scores_at + i] * factor - bitcast<f32>(value.z)), seen);
        let ds = weight * (sums[products_at + i] * dp_factor - bitcast<f32>(value.w));
        let at = r * WEIGHTS_STRIDE + i % EDGE;
        weights[p_at + at] = f16(weight * p_ratio);
        weights[ds_at + at] = f16(ds * ds_ratio);
      }
      weighed = true;
      block++;
      if (subgroup == 0u && lane == 0u) { new_units = u32(all(before > vec2f()) && any(before != unit)); }
      if (workgroupUniformLoad(&new_units) != 0u) { break; }
    }
    let units = select(before, unit, done);
    let at = ((part * p.tokens + key) * p.kv_heads + p.first + head) * HEAD_DIM;
    let to = Target(key, at, of_dv, select(units.y * p.scale, units.x, of_dv), added);
    drain(&left, 0u, to, subgroup, lane);
    drain(&right, HEAD_DIM / 2u, to, subgroup, lane);
    added = true;
    if (done) { break; }
    workgroupBarrier();
  }
}
