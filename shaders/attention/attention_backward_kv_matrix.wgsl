// attention_backward_kv on subgroup matrices: dv = Σ_queries p·do and dk = scale·Σ_queries ds·q.
//
// One workgroup per ROWS keys of one key head and one of p.parts shares of its query heads, queries sixteen at a
// time. Half of the subgroups add up dv, the other half dk.
// Reference: T. Dao, "FlashAttention-2: Faster Attention with Better Parallelism and Work Partitioning",
// arXiv:2307.08691 (backward).
// requires: SUBGROUPS_M, SUBGROUPS_N, M, N, SUBGROUP_SIZE, K from matrixHead
// requires: Sum, store_sum, load_sum, tile_right from shared/subgroup_matrix_by_{flag,order_in_halves}.wgsl
// requires: tile_left, Left, load_left_of_right from shared/subgroup_matrix_by_{flag,order_in_halves}.wgsl
// requires: load_right_by_columns, load_left from shared/subgroup_matrix_by_{flag,order_in_halves}.wgsl
// requires: load_right_by_rows from shared/subgroup_matrix_by_{flag,order_in_halves}.wgsl
// requires: HEAD_DIM from headDimText

#include "attention/attention_backward_operands.wgsl"
@group(0) @binding(7) var<storage, read_write> dk: array<f32>;
@group(0) @binding(8) var<storage, read_write> dv: array<f32>;

// p and ds.
const LEFTS = 2u;
const STRIDE_LEFT = STREAMED + 8u;
// p becomes f16 in units of which do's largest scale is 2⁸ at first and 2¹² at most.
const MAX_P = 4096.0;

var<workgroup> key_scales: array<vec2f, ROWS>;
// Scales of q and do, log-sum-exp and delta; the query's first key and the query.
var<workgroup> query_values: array<vec4f, STREAMED>;
var<workgroup> query_ranges: array<vec2u, STREAMED>;
// In which p and ds are f16, each multiplied by the scale of its row of do or q.
var<workgroup> new_units: vec2f;

#include "attention/attention_backward_matrix.wgsl"
#include "attention/attention_matrix_rows.wgsl"
#include "shared/matrix_drain.wgsl"

// The first row and column of a subgroup's sums among the workgroup's, whose first key is `begin`; whether they are
// dv or dk; and the units that they are in.
struct Target { m: u32, n: u32, begin: u32, kv_head: u32, part: u32, of_dv: bool, unit: vec2f }

fn finished(to: Target, rows: vec4u, columns: vec4u, sums: vec4f) -> vec4f {
  return sums * select(to.unit.y * p.scale, to.unit.x, to.of_dv);
}

fn store(to: Target, r: u32, c: u32, value: f32) {
  let key = to.begin + r;
  if (key < p.tokens) {
    let at = ((to.part * p.tokens + key) * p.kv_heads + to.kv_head) * HEAD_DIM + c;
    if (to.of_dv) { dv[at] = value; } else { dk[at] = value; }
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
  let kv_head = group.y / p.parts;
  let part = group.y % p.parts;
  let heads_per_kv = p.heads / p.kv_heads;
  let first_head = kv_head * heads_per_kv + part * p.part_heads;
  let heads = min(p.part_heads, heads_per_kv - part * p.part_heads);
  let begin = ROWS * (p.tile + group.x);
  // No query past the document of the last key sees any of these keys.
  let query_end = ranges[min(begin + ROWS, p.tokens) - 1u].y;

  // Each subgroup makes one matrix of scores or of do·vᵀ: rows from score_m, queries from score_n.
  let score_m = ((subgroup % HALF) / (STREAMED / u32(N))) * u32(M);
  let score_n = (subgroup % (STREAMED / u32(N))) * u32(N);
  var lefts: Lefts;
  for (var r = 0u; r < ROWS; r += STREAMED) {
    var keys = fetch_keys(begin + r + lane / LANES, p.tokens, kv_head, lane);
    let scales = scales_of(&keys);
    workgroupBarrier();
    stage(&keys, scales, lane);
    if (lane % LANES == 0u) { key_scales[r + lane / LANES] = scales; }
    workgroupBarrier();
    if (score_m / STREAMED == r / STREAMED) { load_lefts(&lefts, half * SECOND, score_m - r); }
  }
  var most_v = 0.0;
  for (var j = in_subgroup % ROWS; j < ROWS; j += SUBGROUP_SIZE) { most_v = max(most_v, key_scales[j].y); }
  most_v = subgroupMax(most_v);

  let sub_m = ((subgroup % HALF) / SUBGROUPS_N) * 2u * u32(M);
  let sub_n = (subgroup % SUBGROUPS_N) * COLUMNS;
  var s00 = Sum(); var s01 = Sum(); var s02 = Sum(); var s03 = Sum();
  var s10 = Sum(); var s11 = Sum(); var s12 = Sum(); var s13 = Sum();
  var unit = vec2f();
  let end = query_end * heads;
  var next = fetch_queries(begin * heads + lane / LANES, end, first_head, heads, lane);
  for (var row = begin * heads; row < end; row += STREAMED) {
    let scales = scales_of(&next);
    workgroupBarrier();
    stage(&next, scales, lane);
    if (lane % LANES == 0u) {
      let at = row + lane / LANES;
      // No key of the workgroup lies between these.
      var seen = vec2u(1u, 0u);
      var stat = vec2f();
      if (at < end) {
        seen = vec2u(ranges[at / heads].x, at / heads);
        stat = stats[place(at, first_head, heads)];
      }
      query_values[lane / LANES] = vec4f(scales, stat);
      query_ranges[lane / LANES] = seen;
    }
    workgroupBarrier();
    next = fetch_queries(row + STREAMED + lane / LANES, end, first_head, heads, lane);
    store_sum(subgroup * u32(M * N), products(&lefts, half * SECOND, score_n));

    var most = vec2f();
    for (var j = in_subgroup % STREAMED; j < STREAMED; j += SUBGROUP_SIZE) {
      let value = query_values[j];
      most = max(most, vec2f(value.y, max(abs(value.w), BOUND * value.y * most_v) * value.x));
    }
    most = subgroupMax(most);
    if (lane == 0u) {
      new_units = unit;
      if (unit.x == 0.0 || most.x > unit.x * MAX_P) { new_units.x = power_below(most.x, 8u); }
      if (unit.y == 0.0 || most.y > unit.y * MAX_DS) { new_units.y = power_below(most.y, 12u); }
    }
    let before = unit;
    unit = workgroupUniformLoad(&new_units);

    let inverses = vec2f(inverse(unit.x), inverse(unit.y));
    for (var i = lane; i < ROWS * STREAMED; i += THREADS) {
      let matrix = i / u32(M * N);
      let r = (matrix / (STREAMED / u32(N))) * u32(M) + (i % u32(M * N)) / u32(N);
      let j = (matrix % (STREAMED / u32(N))) * u32(N) + i % u32(N);
      let value = query_values[j];
      let seen = query_ranges[j];
      let of_key = key_scales[r];
      let score = sums[i] * (of_key.x * p.scale) * value.x;
      let dp = sums[ROWS * STREAMED + i] * of_key.y * value.y;
      var weight = 0.0;
      if (begin + r >= seen.x && begin + r <= seen.y) { weight = exp(score - value.z); }
      let ds = weight * (dp - value.w);
      tile_left[r * STRIDE_LEFT + j] = f16(weight * (value.y * inverses.x));
      tile_left[(ROWS + r) * STRIDE_LEFT + j] = f16(ds * (value.x * inverses.y));
    }
    workgroupBarrier();
    if (all(before > vec2f()) && any(before != unit)) {
      let shrinks = before * inverses;
      let shrink = select(shrinks.y, shrinks.x, half == 0u);
      s00 = rescaled(s00, shrink, subgroup, in_subgroup);
      s01 = rescaled(s01, shrink, subgroup, in_subgroup);
      s10 = rescaled(s10, shrink, subgroup, in_subgroup);
      s11 = rescaled(s11, shrink, subgroup, in_subgroup);
      if (HEAD_DIM > 64u) {
        s02 = rescaled(s02, shrink, subgroup, in_subgroup);
        s03 = rescaled(s03, shrink, subgroup, in_subgroup);
        s12 = rescaled(s12, shrink, subgroup, in_subgroup);
        s13 = rescaled(s13, shrink, subgroup, in_subgroup);
      }
    }

    for (var j = 0u; j < STREAMED; j += u32(K)) {
      let l0 = load_left((half * ROWS + sub_m) * STRIDE_LEFT + j);
      let l1 = load_left((half * ROWS + sub_m + u32(M)) * STRIDE_LEFT + j);
      // dv from do, dk from q.
      let at = (1u - half) * SECOND * PART + j * STRIDE_RIGHT + sub_n;
      #include "attention/matrix_multiply.wgsl"
    }
  }

  let to = Target(sub_m, sub_n, begin, kv_head, part, subgroup < HALF, unit);
  #include "attention/matrix_drain.wgsl"
}
