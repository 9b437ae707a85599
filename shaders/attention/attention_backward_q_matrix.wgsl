// attention_backward_q on subgroup matrices: dq = scale·Σ_keys ds·k.
//
// One workgroup per ROWS queries of one key head, which are as in attention_matrix; keys come sixteen at a time. All
// subgroups add up dq.
// Reference: T. Dao, "FlashAttention-2: Faster Attention with Better Parallelism and Work Partitioning",
// arXiv:2307.08691 (backward).
// requires: SUBGROUPS_M, SUBGROUPS_N, M, N, SUBGROUP_SIZE, K from matrixHead
// requires: Sum, store_sum, load_sum, tile_right from shared/subgroup_matrix_by_{flag,order_in_halves}.wgsl
// requires: tile_left, Left, load_left_of_right from shared/subgroup_matrix_by_{flag,order_in_halves}.wgsl
// requires: load_right_by_columns, load_left from shared/subgroup_matrix_by_{flag,order_in_halves}.wgsl
// requires: load_right_by_rows from shared/subgroup_matrix_by_{flag,order_in_halves}.wgsl
// requires: HEAD_DIM from headDimText

#include "attention/attention_backward_operands.wgsl"
@group(0) @binding(7) var<storage, read_write> dq: array<f32>;

const LEFTS = 1u;
const STRIDE_LEFT = 2u * STREAMED + 8u;
// Twice as many subgroups as the scores have: half as many columns each.
const COLUMNS_EACH = COLUMNS / 2u;

// Scales of q and do, log-sum-exp and delta; the query's first key and the query.
var<workgroup> query_values: array<vec4f, ROWS>;
var<workgroup> query_ranges: array<vec2u, ROWS>;
var<workgroup> key_scales: array<vec2f, STREAMED>;
// In which ds is f16, divided by the scale of its row of do and multiplied by that of k.
var<workgroup> new_unit: f32;

#include "attention/attention_backward_matrix.wgsl"
#include "attention/attention_matrix_rows.wgsl"
#include "shared/matrix_drain.wgsl"

// The first row and column of a subgroup's sums among the workgroup's, whose first row is `begin`; and their unit.
struct Target { m: u32, n: u32, begin: u32, kv_head: u32, unit: f32 }

fn finished(to: Target, rows: vec4u, columns: vec4u, sums: vec4f) -> vec4f {
  let scales = vec4f(
    query_values[rows.x].y, query_values[rows.y].y, query_values[rows.z].y, query_values[rows.w].y,
  );
  return sums * (to.unit * p.scale) * scales;
}

fn store(to: Target, r: u32, c: u32, value: f32) {
  let heads = p.heads / p.kv_heads;
  if (to.begin + r < p.tokens * heads) {
    let at = place(to.begin + r, to.kv_head * heads, heads) * HEAD_DIM + c;
    dq[at] = value;
  }
}

@diagnostic(off, subgroup_uniformity)
@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(subgroup_id) subgroup: u32,
  @builtin(subgroup_invocation_id) in_subgroup: u32,
) {
  let lane = subgroup * SUBGROUP_SIZE + in_subgroup;
  let half = subgroup / HALF;
  let kv_head = group.y;
  let heads = p.heads / p.kv_heads;
  let first_head = kv_head * heads;
  let rows = p.tokens * heads;
  // Late queries see the most keys: the longest workgroups start first.
  let begin = ROWS * (p.tile - group.x);
  let end = (min(begin + ROWS, rows) - 1u) / heads + 1u;

  // Each subgroup makes one matrix of scores or of do·vᵀ: rows from score_m, keys from score_n.
  let score_m = ((subgroup % HALF) / (STREAMED / u32(N))) * u32(M);
  let score_n = (subgroup % (STREAMED / u32(N))) * u32(N);
  var lefts: Lefts;
  for (var r = 0u; r < ROWS; r += STREAMED) {
    let row = begin + r + lane / LANES;
    var queries = fetch_queries(row, rows, first_head, heads, lane);
    let scales = scales_of(&queries);
    workgroupBarrier();
    stage(&queries, scales, lane);
    if (lane % LANES == 0u) {
      // No key lies between these.
      var seen = vec2u(1u, 0u);
      var stat = vec2f();
      if (row < rows) {
        seen = vec2u(ranges[row / heads].x, row / heads);
        stat = stats[place(row, first_head, heads)];
      }
      query_values[r + lane / LANES] = vec4f(scales, stat);
      query_ranges[r + lane / LANES] = seen;
    }
    workgroupBarrier();
    if (score_m / STREAMED == r / STREAMED) { load_lefts(&lefts, half * SECOND, score_m - r); }
  }
  // The largest |delta| in its row's scale of do.
  var most_delta = 0.0;
  for (var j = in_subgroup % ROWS; j < ROWS; j += SUBGROUP_SIZE) {
    most_delta = max(most_delta, abs(query_values[j].w) * inverse(query_values[j].y));
  }
  most_delta = subgroupMax(most_delta);

  let sub_m = (subgroup / (2u * SUBGROUPS_N)) * 2u * u32(M);
  let sub_n = (subgroup % (2u * SUBGROUPS_N)) * COLUMNS_EACH;
  var s00 = Sum(); var s01 = Sum();
  var s10 = Sum(); var s11 = Sum();
  var unit = 0.0;
  let first = ranges[begin / heads].x;
  var next = fetch_keys(first + lane / LANES, end, kv_head, lane);
  for (var key_begin = first; key_begin < end; key_begin += STREAMED) {
    let scales = scales_of(&next);
    workgroupBarrier();
    stage(&next, scales, lane);
    if (lane % LANES == 0u) { key_scales[lane / LANES] = scales; }
    workgroupBarrier();
    next = fetch_keys(key_begin + STREAMED + lane / LANES, end, kv_head, lane);
    store_sum(subgroup * u32(M * N), products(&lefts, half * SECOND, score_n));

    var most = 0.0;
    for (var j = in_subgroup % STREAMED; j < STREAMED; j += SUBGROUP_SIZE) {
      most = max(most, max(most_delta, BOUND * key_scales[j].y) * key_scales[j].x);
    }
    most = subgroupMax(most);
    if (lane == 0u) {
      new_unit = unit;
      if (unit == 0.0 || most > unit * MAX_DS) { new_unit = power_below(most, 12u); }
    }
    let before = unit;
    unit = workgroupUniformLoad(&new_unit);

    let inverse_unit = inverse(unit);
    for (var i = lane; i < ROWS * STREAMED; i += THREADS) {
      let matrix = i / u32(M * N);
      let r = (matrix / (STREAMED / u32(N))) * u32(M) + (i % u32(M * N)) / u32(N);
      let j = (matrix % (STREAMED / u32(N))) * u32(N) + i % u32(N);
      let value = query_values[r];
      let seen = query_ranges[r];
      let of_key = key_scales[j];
      let score = sums[i] * (value.x * p.scale) * of_key.x;
      let dp = sums[ROWS * STREAMED + i] * value.y * of_key.y;
      var weight = 0.0;
      if (key_begin + j >= seen.x && key_begin + j <= seen.y) { weight = exp(score - value.z); }
      let ds = weight * (dp - value.w) * inverse(value.y);
      put_left_split(r * STRIDE_LEFT + j, ds * (of_key.x * inverse_unit));
    }
    workgroupBarrier();
    if (before > 0.0 && before != unit) {
      let shrink = before * inverse_unit;
      s00 = rescaled(s00, shrink, subgroup, in_subgroup);
      s10 = rescaled(s10, shrink, subgroup, in_subgroup);
      if (HEAD_DIM > 64u) {
        s01 = rescaled(s01, shrink, subgroup, in_subgroup);
        s11 = rescaled(s11, shrink, subgroup, in_subgroup);
      }
    }

    // A row's ds add up to nothing, so what keys have in common, often by far the most of them, must cancel: ds and k
    // both need their low halves. low·high, high·low, high·high.
    for (var term = 0u; term < 3u; term++) {
      let left_at = sub_m * STRIDE_LEFT + select(0u, STREAMED, term == 0u);
      let right_at = sub_n + select(0u, PART, term == 1u);
      for (var j = 0u; j < STREAMED; j += u32(K)) {
        let l0 = load_left(left_at + j);
        let l1 = load_left(left_at + u32(M) * STRIDE_LEFT + j);
        let at = right_at + j * STRIDE_RIGHT;
        let r0 = load_right_by_rows(at);
        s00 = subgroupMatrixMultiplyAccumulate(l0, r0, s00);
        s10 = subgroupMatrixMultiplyAccumulate(l1, r0, s10);
        if (HEAD_DIM > 64u) {
          let r1 = load_right_by_rows(at + u32(N));
          s01 = subgroupMatrixMultiplyAccumulate(l0, r1, s01);
          s11 = subgroupMatrixMultiplyAccumulate(l1, r1, s11);
        }
      }
    }
  }

  let to = Target(sub_m, sub_n, begin, kv_head, unit);
  drain(s00, to, to.m, to.n, subgroup, in_subgroup);
  drain(s10, to, to.m + u32(M), to.n, subgroup, in_subgroup);
  if (HEAD_DIM > 64u) {
    drain(s01, to, to.m, to.n + u32(N), subgroup, in_subgroup);
    drain(s11, to, to.m + u32(M), to.n + u32(N), subgroup, in_subgroup);
  }
}
