// attention on subgroup matrices: o = softmax(scale·q·kᵀ)·v and the log-sum-exp of each query's scores.
//
// One workgroup per ROWS queries of one key head: the query heads that share it stand beside one another, token by
// token, so that few tokens, hence few keys that only some of them see, are in a workgroup. Keys come sixteen at a
// time. Matrices of sums cannot be scaled row by row; but a row's weights may be taken relative to any number near
// its maximum: that is the first tile's until a score is RISE above it. Only then do the sums go through workgroup
// memory, which is seldom; rows' sums that were stored and added for every tile would cost as much as the scores.
// References: T. Dao, "FlashAttention-2: Faster Attention with Better Parallelism and Work Partitioning",
// arXiv:2307.08691; M. Milakov, N. Gimelshein, "Online normalizer calculation for softmax", arXiv:1805.02867.
// requires: SUBGROUPS_M, SUBGROUPS_N, SUBGROUP_SIZE, M, K, N from matrixHead
// requires: tile_right, tile_left, Left from shared/subgroup_matrix_by_{flag,order_in_halves}.wgsl
// requires: load_left_of_right, Sum, load_right_by_columns from shared/subgroup_matrix_by_{flag,order_in_halves}.wgsl
// requires: store_sum, load_sum, load_left from shared/subgroup_matrix_by_{flag,order_in_halves}.wgsl
// requires: load_right_by_rows from shared/subgroup_matrix_by_{flag,order_in_halves}.wgsl
// requires: HEAD_DIM from headDimText

#include "attention/attention_forward_operands.wgsl"
@group(0) @binding(5) var<storage, read_write> o: array<f32>;

const SUBGROUPS = SUBGROUPS_M * SUBGROUPS_N;
// k and v, high and low.
const PARTS = 4u;
const LEFTS = 1u;
const STRIDE_LEFT = 2u * STREAMED + 8u;
const RESULTS = 1u;
const V = 2u;
// Weights are at most 2⁸, the ratio of a row of v to the scale of all at most 2⁶: both together fit f16.
const RISE = 5.5;
const HEADROOM = 64.0;
// For the maximum of a row: its threads, and the rows of each.
const ROW_LANES = max(1u, THREADS / ROWS);
const ROWS_EACH = max(1u, ROWS / THREADS);
const KEYS_EACH = STREAMED / ROW_LANES;

// What the sums of a row are multiplied by.
var<workgroup> row_factors: array<f32, ROWS>;
var<workgroup> key_scales: array<vec2f, STREAMED>;
var<workgroup> risen: array<u32, SUBGROUPS>;

#include "attention/attention_matrix_rows.wgsl"
#include "shared/matrix_drain.wgsl"

struct Fetched { k: Row, v: Row }

fn fetch(key: u32, end: u32, kv_head: u32, lane: u32) -> Fetched {
  var f: Fetched;
  if (key >= end) { return f; }
  let at = (key * p.kv_heads + kv_head) * (HEAD_DIM / 4u) + lane % LANES;
  for (var j = 0u; j < QUADS; j++) {
    f.k[j] = k[at + j * LANES];
    f.v[j] = v[at + j * LANES];
  }
  return f;
}

// Where the query and the head of a row are in [tokens, heads].
fn place(row: u32, kv_head: u32) -> u32 {
  let heads = p.heads / p.kv_heads;
  return (row / heads) * p.heads + kv_head * heads + row % heads;
}

fn fetch_q(row: u32, kv_head: u32, lane: u32) -> Row {
  var f: Row;
  if (row >= p.tokens * (p.heads / p.kv_heads)) { return f; }
  let at = place(row, kv_head) * (HEAD_DIM / 4u) + lane % LANES;
  for (var j = 0u; j < QUADS; j++) { f[j] = q[at + j * LANES]; }
  return f;
}

// Sums with their rows multiplied; m is the first of them.
fn rescaled(sum: Sum, m: u32, subgroup: u32, lane: u32) -> Sum {
  let begin = subgroup * u32(M * N);
  workgroupBarrier();
  store_sum(begin, sum);
  workgroupBarrier();
  for (var i = lane; i < u32(M * N); i += SUBGROUP_SIZE) { sums[begin + i] *= row_factors[m + i / u32(N)]; }
  workgroupBarrier();
  return load_sum(begin);
}

// The first row and column of a subgroup's sums among the workgroup's, whose first row is `begin`.
struct Target { m: u32, n: u32, begin: u32, kv_head: u32 }

fn finished(to: Target, rows: vec4u, columns: vec4u, sums: vec4f) -> vec4f {
  return sums * vec4f(row_factors[rows.x], row_factors[rows.y], row_factors[rows.z], row_factors[rows.w]);
}

fn store(to: Target, r: u32, c: u32, value: f32) {
  if (to.begin + r < p.tokens * (p.heads / p.kv_heads)) {
    o[place(to.begin + r, to.kv_head) * HEAD_DIM + c] = value;
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
  let kv_head = group.y;
  let heads = p.heads / p.kv_heads;
  let rows = p.tokens * heads;
  // Late queries see the most keys: the longest workgroups start first.
  let begin = ROWS * (p.last_tile - group.x);
  let end = (min(begin + ROWS, rows) - 1u) / heads + 1u;

  // Each subgroup makes one matrix of scores: rows from score_m, keys from score_n.
  let score_m = (subgroup / (STREAMED / u32(N))) * u32(M);
  let score_n = (subgroup % (STREAMED / u32(N))) * u32(N);
  var lefts: Lefts;
  for (var r = 0u; r < ROWS; r += STREAMED) {
    var row = fetch_q(begin + r + lane / LANES, kv_head, lane);
    let scale = scale_of(&row);
    workgroupBarrier();
    put_split(0u, lane, &row, inverse(scale));
    if (lane % LANES == 0u) { row_factors[r + lane / LANES] = scale; }
    workgroupBarrier();
    if (score_m / STREAMED == r / STREAMED) { load_lefts(&lefts, 0u, score_m - r); }
  }

  let c = lane % ROW_LANES;
  var token: array<u32, ROWS_EACH>;
  var first_key: array<u32, ROWS_EACH>;
  var factor: array<f32, ROWS_EACH>;
  var highest: array<f32, ROWS_EACH>;
  var total: array<f32, ROWS_EACH>; // this thread's keys only, until the end
  for (var i = 0u; i < ROWS_EACH; i++) {
    let r = lane / ROW_LANES + i * (THREADS / ROW_LANES);
    token[i] = min(begin + r, rows - 1u) / heads;
    first_key[i] = ranges[token[i]].x;
    factor[i] = row_factors[r] * p.scale;
    highest[i] = LOWEST;
  }
  var v_scale = 0.0;

  let sub_m = (subgroup / SUBGROUPS_N) * 2u * u32(M);
  let sub_n = (subgroup % SUBGROUPS_N) * COLUMNS;
  var s00 = Sum(); var s01 = Sum(); var s02 = Sum(); var s03 = Sum();
  var s10 = Sum(); var s11 = Sum(); var s12 = Sum(); var s13 = Sum();
  let first = ranges[begin / heads].x;
  var next = fetch(first + lane / LANES, end, kv_head, lane);
  for (var key_begin = first; key_begin < end; key_begin += STREAMED) {
    let scales = vec2f(scale_of(&next.k), scale_of(&next.v));
    workgroupBarrier();
    put_split(0u, lane, &next.k, inverse(scales.x));
    put_split(V, lane, &next.v, inverse(scales.y));
    if (lane % LANES == 0u) { key_scales[lane / LANES] = scales; }
    workgroupBarrier();
    next = fetch(key_begin + STREAMED + lane / LANES, end, kv_head, lane);
    store_sum(subgroup * u32(M * N), products(&lefts, 0u, score_n));
    workgroupBarrier();

    var most_v = 0.0;
    for (var j = in_subgroup % STREAMED; j < STREAMED; j += SUBGROUP_SIZE) { most_v = max(most_v, key_scales[j].y); }
    most_v = subgroupMax(most_v);
    var rise = false;
    var shrink_v = 1.0;
    if (most_v > v_scale * HEADROOM) {
      if (v_scale > 0.0) {
        rise = true;
        shrink_v = v_scale * inverse(most_v);
      }
      v_scale = most_v;
    }
    for (var i = 0u; i < ROWS_EACH; i++) {
      let r = lane / ROW_LANES + i * (THREADS / ROW_LANES);
      var most = LOWEST;
      for (var t = 0u; t < KEYS_EACH; t++) {
        // Every row begins at another key: two rows of sixteen are all banks.
        let j = (ROW_LANES * (t + r / 2u) + c) % STREAMED;
        let key = key_begin + j;
        let score = sums[sum_at(r, j)] * factor[i] * key_scales[j].x;
        if (key >= first_key[i] && key <= token[i]) { most = max(most, score); }
      }
      for (var other = 1u; other < ROW_LANES; other *= 2u) { most = max(most, subgroupShuffleXor(most, other)); }
      var shrink = 1.0;
      if (most > highest[i] + RISE) {
        shrink = exp(highest[i] - most);
        rise = rise || highest[i] > LOWEST;
        highest[i] = most;
        total[i] *= shrink;
      }
      for (var t = 0u; t < KEYS_EACH; t++) {
        let j = (ROW_LANES * (t + r / 2u) + c) % STREAMED;
        let key = key_begin + j;
        let score = sums[sum_at(r, j)] * factor[i] * key_scales[j].x;
        var weight = 0.0;
        if (key >= first_key[i] && key <= token[i]) { weight = exp(score - highest[i]); }
        total[i] += weight;
        put_left_split(r * STRIDE_LEFT + j, weight * (key_scales[j].y * inverse(v_scale)));
      }
      if (c == 0u) { row_factors[r] = shrink * shrink_v; }
    }
    let subgroup_rise = subgroupAny(rise);
    if (in_subgroup == 0u) { risen[subgroup] = u32(subgroup_rise); }
    let rises = workgroupUniformLoad(&risen);
    var some = 0u;
    for (var i = 0u; i < SUBGROUPS; i++) { some |= rises[i]; }
    if (some != 0u) {
      s00 = rescaled(s00, sub_m, subgroup, in_subgroup);
      s10 = rescaled(s10, sub_m + u32(M), subgroup, in_subgroup);
      s01 = rescaled(s01, sub_m, subgroup, in_subgroup);
      s11 = rescaled(s11, sub_m + u32(M), subgroup, in_subgroup);
      if (HEAD_DIM > 64u) {
        s02 = rescaled(s02, sub_m, subgroup, in_subgroup);
        s12 = rescaled(s12, sub_m + u32(M), subgroup, in_subgroup);
        s03 = rescaled(s03, sub_m, subgroup, in_subgroup);
        s13 = rescaled(s13, sub_m + u32(M), subgroup, in_subgroup);
      }
    }

    // low·high, high·low, high·high.
    for (var term = 0u; term < 3u; term++) {
      let left_at = sub_m * STRIDE_LEFT + select(0u, STREAMED, term == 0u);
      let right_at = V * PART + sub_n + select(0u, PART, term == 1u);
      for (var j = 0u; j < STREAMED; j += u32(K)) {
        let l0 = load_left(left_at + j);
        let l1 = load_left(left_at + u32(M) * STRIDE_LEFT + j);
        let at = right_at + j * STRIDE_RIGHT;
        #include "attention/matrix_multiply.wgsl"
      }
    }
  }

  for (var i = 0u; i < ROWS_EACH; i++) {
    let r = lane / ROW_LANES + i * (THREADS / ROW_LANES);
    var sum = total[i];
    for (var other = 1u; other < ROW_LANES; other *= 2u) { sum += subgroupShuffleXor(sum, other); }
    if (c == 0u) {
      row_factors[r] = v_scale / sum;
      if (begin + r < rows) { stats[2u * place(begin + r, kv_head)] = highest[i] + log(sum); }
    }
  }
  let to = Target(sub_m, sub_n, begin, kv_head);
  #include "attention/matrix_drain.wgsl"
}
