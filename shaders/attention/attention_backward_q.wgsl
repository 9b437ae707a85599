// dq = scale·Σ_keys ds·k, with ds = p·(do·vᵀ − delta) and p = exp(score − log-sum-exp) recomputed. One workgroup per
// ROWS queries of one head, keys 64 at a time. Queries are the rows of attention_tile, keys its
// columns.
// Reference: T. Dao, "FlashAttention-2: Faster Attention with Better Parallelism and Work Partitioning",
// arXiv:2307.08691 (backward).

#include "attention/attention_backward_operands.wgsl"
@group(0) @binding(7) var<storage, read_write> dq: array<vec4f>;
#include "attention/attention_tile.wgsl"
#include "attention/attention_backward_sides.wgsl"

fn row_at(what: u32, query: u32, head: u32, kv_head: u32, c: u32) -> vec4f { return of_query(what, query, head, c); }

fn column_at(what: u32, key: u32, head: u32, kv_head: u32, c: u32) -> vec4f { return of_key(what, key, kv_head, c); }

fn value_at(what: u32, key: u32, head: u32, kv_head: u32, c: u32) -> vec4f {
  return of_key(SCORES, key, kv_head, c);
}

// ds of four queries with four keys, given their unscaled scores and do·vᵀ; 0 where they do not see them.
fn score_gradients(scores: mat4x4f, dp: mat4x4f, query: u32, key: u32, head: u32) -> mat4x4f {
  let queries = query + vec4u(0u, 1u, 2u, 3u);
  var lse: vec4f;
  var delta: vec4f;
  var first: vec4u;
  for (var i = 0u; i < 4u; i++) {
    let token = clamp_token(queries[i]);
    let stat = stats[token * p.heads + head];
    lse[i] = stat.x;
    delta[i] = stat.y;
    first[i] = ranges[token].x;
  }
  var ds: mat4x4f;
  for (var j = 0u; j < 4u; j++) {
    let at = vec4u(key + j);
    let weight = select(vec4f(), exp(scores[j] * p.scale - lse), (at >= first) & (at <= queries));
    ds[j] = weight * (dp[j] - delta);
  }
  return ds;
}

fn store(query: u32, head: u32, tx: u32, dq0: mat4x4f, dq1: mat4x4f) {
  for (var i = 0u; i < 4u; i++) {
    if (query + i >= p.tokens) { break; }
    let at = ((query + i) * p.heads + head) * HEAD4 + tx;
    if (tx < HEAD4) { dq[at] = dq0[i] * p.scale; }
    if (tx + TX < HEAD4) { dq[at + TX] = dq1[i] * p.scale; }
  }
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let tx = lane % TX;
  let ty = lane / TX;
  let head = group.y;
  let kv_head = head / (p.heads / p.kv_heads);
  // Late queries see the most keys: the longest workgroups start first.
  let begin = ROWS * (p.tile - group.x);
  let end = min(begin + ROWS, p.tokens);
  let query = begin + 4u * QUADS * ty;
  let first_key = ranges[begin].x;

  var acc: Wide;
  for (var key_begin = first_key; key_begin < end; key_begin += COLUMNS) {
    var s = products(SCORES, begin, key_begin, head, kv_head, lane);
    let dp = products(WEIGHT_GRADIENTS, begin, key_begin, head, kv_head, lane);
    s.a = score_gradients(s.a, dp.a, query, key_begin + 4u * tx, head);
    if (QUADS > 1u) { s.b = score_gradients(s.b, dp.b, query + 4u, key_begin + 4u * tx, head); }
    put_weights(ty, tx, s);

    // Keys behind the last query weigh nothing.
    acc = add_values(acc, 0u, key_begin, min(COLUMNS, end - key_begin), head, kv_head, lane);
  }
  store(query, head, tx, acc.a0, acc.a1);
  if (QUADS > 1u) { store(query + 4u, head, tx, acc.b0, acc.b1); }
}
