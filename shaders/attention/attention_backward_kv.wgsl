// dv = Σ_queries p·do and dk = scale·Σ_queries ds·q, over the query heads that share the key head, with p = exp(score
// − log-sum-exp) recomputed and ds = p·(do·vᵀ − delta). One workgroup per ROWS keys of one key head and one of
// p.parts shares of its query heads, queries 64 at a time, head after head: the order of sums is fixed. Where there
// are several shares, dk and dv are [share, …], for sum_slices. Keys are the rows of attention_tile, queries its
// columns.
// Reference: T. Dao, "FlashAttention-2: Faster Attention with Better Parallelism and Work Partitioning",
// arXiv:2307.08691 (backward).

#include "attention/attention_backward_operands.wgsl"
@group(0) @binding(7) var<storage, read_write> dk: array<vec4f>;
@group(0) @binding(8) var<storage, read_write> dv: array<vec4f>;
#include "attention/attention_tile.wgsl"
#include "attention/attention_backward_sides.wgsl"

// What p and ds are multiplied with.
const FOR_DV = 0u;
const FOR_DK = 1u;

fn row_at(what: u32, key: u32, head: u32, kv_head: u32, c: u32) -> vec4f { return of_key(what, key, kv_head, c); }

fn column_at(what: u32, query: u32, head: u32, kv_head: u32, c: u32) -> vec4f {
  return of_query(what, query, head, c);
}

fn value_at(what: u32, query: u32, head: u32, kv_head: u32, c: u32) -> vec4f {
  return of_query(select(SCORES, WEIGHT_GRADIENTS, what == FOR_DV), query, head, c);
}

// p of four keys with four queries, given their unscaled scores; 0 where they are not seen.
fn softmax(scores: mat4x4f, key: u32, query: u32, head: u32) -> mat4x4f {
  let keys = key + vec4u(0u, 1u, 2u, 3u);
  var m: mat4x4f;
  for (var j = 0u; j < 4u; j++) {
    let token = clamp_token(query + j);
    let seen = (keys >= vec4u(ranges[token].x)) & (keys <= vec4u(query + j)) & vec4<bool>(query + j < p.tokens);
    m[j] = select(vec4f(), exp(scores[j] * p.scale - stats[token * p.heads + head].x), seen);
  }
  return m;
}

// p·(dp − delta).
fn score_gradients(weight: mat4x4f, dp: mat4x4f, query: u32, head: u32) -> mat4x4f {
  var ds: mat4x4f;
  for (var j = 0u; j < 4u; j++) { ds[j] = weight[j] * (dp[j] - stats[clamp_token(query + j) * p.heads + head].y); }
  return ds;
}

fn store(key: u32, part: u32, kv_head: u32, tx: u32, dk0: mat4x4f, dk1: mat4x4f, dv0: mat4x4f, dv1: mat4x4f) {
  for (var i = 0u; i < 4u; i++) {
    if (key + i >= p.tokens) { break; }
    let at = ((part * p.tokens + key + i) * p.kv_heads + kv_head) * HEAD4 + tx;
    if (tx < HEAD4) {
      dk[at] = dk0[i] * p.scale;
      dv[at] = dv0[i];
    }
    if (tx + TX < HEAD4) {
      dk[at + TX] = dk1[i] * p.scale;
      dv[at + TX] = dv1[i];
    }
  }
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let tx = lane % TX;
  let ty = lane / TX;
  let kv_head = group.y / p.parts;
  let part = group.y % p.parts;
  let heads_per_kv = p.heads / p.kv_heads;
  let first_head = kv_head * heads_per_kv + part * p.part_heads;
  let end_head = min(first_head + p.part_heads, (kv_head + 1u) * heads_per_kv);
  // Early keys are seen by the most queries: the longest workgroups start first.
  let begin = ROWS * (p.tile + group.x);
  let key = begin + 4u * QUADS * ty;
  // No query past the document of the last key sees any of these keys.
  let query_end = ranges[min(begin + ROWS, p.tokens) - 1u].y;

  var sum_k: Wide;
  var sum_v: Wide;
  for (var head = first_head; head < end_head; head++) {
    for (var query_begin = begin; query_begin < query_end; query_begin += COLUMNS) {
      let query = query_begin + 4u * tx;
      // Queries behind the document weigh nothing.
      let queries = min(COLUMNS, query_end - query_begin);
      var weight = products(SCORES, begin, query_begin, head, kv_head, lane);
      weight.a = softmax(weight.a, key, query, head);
      if (QUADS > 1u) { weight.b = softmax(weight.b, key + 4u, query, head); }
      put_weights(ty, tx, weight);
      sum_v = add_values(sum_v, FOR_DV, query_begin, queries, head, kv_head, lane);

      let dp = products(WEIGHT_GRADIENTS, begin, query_begin, head, kv_head, lane);
      weight.a = score_gradients(weight.a, dp.a, query, head);
      if (QUADS > 1u) { weight.b = score_gradients(weight.b, dp.b, query, head); }
      put_weights(ty, tx, weight);
      sum_k = add_values(sum_k, FOR_DK, query_begin, queries, head, kv_head, lane);
    }
  }
  store(key, part, kv_head, tx, sum_k.a0, sum_k.a1, sum_v.a0, sum_v.a1);
  if (QUADS > 1u) { store(key + 4u, part, kv_head, tx, sum_k.b0, sum_k.b1, sum_v.b0, sum_v.b1); }
}
