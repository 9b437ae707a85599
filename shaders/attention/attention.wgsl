// Causal grouped-query attention within documents: o = softmax(scale·q·kᵀ)·v and the log-sum-exp of each query's
// scores, without ever holding the scores: keys come 64 at a time, under a running maximum and sum (flash attention).
// One workgroup per ROWS queries of one head. Queries are the rows of attention_tile, keys its columns.
// References: T. Dao, "FlashAttention-2: Faster Attention with Better Parallelism and Work Partitioning",
// arXiv:2307.08691; M. Milakov, N. Gimelshein, "Online normalizer calculation for softmax", arXiv:1805.02867.

#include "attention/attention_forward_operands.wgsl"
@group(0) @binding(5) var<storage, read_write> o: array<vec4f>;
#include "attention/attention_tile.wgsl"

fn row_at(what: u32, query: u32, head: u32, kv_head: u32, c: u32) -> vec4f {
  return q[(clamp_token(query) * p.heads + head) * HEAD4 + c];
}

fn column_at(what: u32, key: u32, head: u32, kv_head: u32, c: u32) -> vec4f {
  return k[(clamp_token(key) * p.kv_heads + kv_head) * HEAD4 + c];
}

fn value_at(what: u32, key: u32, head: u32, kv_head: u32, c: u32) -> vec4f {
  return v[(clamp_token(key) * p.kv_heads + kv_head) * HEAD4 + c];
}

// Scores of four queries with four keys, LOWEST where they do not see them.
fn masked(scores: mat4x4f, query: u32, key: u32) -> mat4x4f {
  let queries = query + vec4u(0u, 1u, 2u, 3u);
  let first = vec4u(ranges[clamp_token(queries.x)].x, ranges[clamp_token(queries.y)].x,
    ranges[clamp_token(queries.z)].x, ranges[clamp_token(queries.w)].x);
  var m = scores;
  for (var j = 0u; j < 4u; j++) {
    let at = vec4u(key + j);
    m[j] = select(vec4f(LOWEST), m[j], (at >= first) & (at <= queries));
  }
  return m;
}

// exp(m[j] - less).
fn exps(m: mat4x4f, less: vec4f) -> mat4x4f {
  return mat4x4f(exp(m[0] - less), exp(m[1] - less), exp(m[2] - less), exp(m[3] - less));
}

fn largest(m: mat4x4f) -> vec4f { return max(max(m[0], m[1]), max(m[2], m[3])); }
fn sum_of(m: mat4x4f) -> vec4f { return (m[0] + m[1]) + (m[2] + m[3]); }

fn store(query: u32, head: u32, tx: u32, highest: vec4f, total: vec4f, o0: mat4x4f, o1: mat4x4f) {
  let lse = highest + log(total);
  for (var i = 0u; i < 4u; i++) {
    if (query + i >= p.tokens) { break; }
    let at = (query + i) * p.heads + head;
    if (tx == 0u) { stats[2u * at] = lse[i]; }
    if (tx < HEAD4) { o[at * HEAD4 + tx] = o0[i] / total[i]; }
    if (tx + TX < HEAD4) { o[at * HEAD4 + tx + TX] = o1[i] / total[i]; }
  }
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let tx = lane % TX;
  let ty = lane / TX;
  let quad = QUADS * ty;
  let head = group.y;
  let kv_head = head / (p.heads / p.kv_heads);
  // Late queries see the most keys: the longest workgroups start first.
  let begin = ROWS * (p.last_tile - group.x);
  let end = min(begin + ROWS, p.tokens);
  let query = begin + 4u * quad;
  let first_key = ranges[begin].x;
  // The first key that all queries of the tile see.
  let common_key = ranges[end - 1u].x;

  var highest_a = vec4f(LOWEST);
  var highest_b = vec4f(LOWEST);
  var total_a = vec4f(); // this thread's keys only, until the end
  var total_b = vec4f();
  var acc: Wide;
  for (var key_begin = first_key; key_begin < end; key_begin += COLUMNS) {
    var s = products(0u, begin, key_begin, head, kv_head, lane);
    s.a = s.a * p.scale;
    if (QUADS > 1u) { s.b = s.b * p.scale; }
    if (key_begin < common_key || key_begin + COLUMNS > begin + 1u) {
      s.a = masked(s.a, query, key_begin + 4u * tx);
      if (QUADS > 1u) { s.b = masked(s.b, query + 4u, key_begin + 4u * tx); }
    }
    let before_a = highest_a;
    let before_b = highest_b;
    weights[weight_at(tx, tx, quad)] = largest(s.a);
    if (QUADS > 1u) { weights[weight_at(tx, tx, quad + 1u)] = largest(s.b); }
    workgroupBarrier();
    for (var j = 0u; j < TX; j++) {
      highest_a = max(highest_a, weights[weight_at(j, j, quad)]);
      if (QUADS > 1u) { highest_b = max(highest_b, weights[weight_at(j, j, quad + 1u)]); }
    }
    workgroupBarrier();
    // A query that has seen no key yet counts all of them as 1; with the first that it sees, shrink = 0 takes that
    // off.
    let shrink_a = exp(before_a - highest_a);
    s.a = exps(s.a, highest_a);
    total_a = total_a * shrink_a + sum_of(s.a);
    acc.a0 = by_column(acc.a0, shrink_a);
    if (HEAD4 > TX) { acc.a1 = by_column(acc.a1, shrink_a); }
    if (QUADS > 1u) {
      let shrink_b = exp(before_b - highest_b);
      s.b = exps(s.b, highest_b);
      total_b = total_b * shrink_b + sum_of(s.b);
      acc.b0 = by_column(acc.b0, shrink_b);
      if (HEAD4 > TX) { acc.b1 = by_column(acc.b1, shrink_b); }
    }
    put_weights(ty, tx, s);

    // Keys behind the last query weigh nothing.
    acc = add_values(acc, 0u, key_begin, min(COLUMNS, end - key_begin), head, kv_head, lane);
  }

  workgroupBarrier();
  weights[weight_at(tx, tx, quad)] = total_a;
  if (QUADS > 1u) { weights[weight_at(tx, tx, quad + 1u)] = total_b; }
  workgroupBarrier();
  total_a = vec4f();
  total_b = vec4f();
  for (var j = 0u; j < TX; j++) {
    total_a += weights[weight_at(j, j, quad)];
    if (QUADS > 1u) { total_b += weights[weight_at(j, j, quad + 1u)]; }
  }
  store(query, head, tx, highest_a, total_a, acc.a0, acc.a1);
  if (QUADS > 1u) { store(query + 4u, head, tx, highest_b, total_b, acc.b0, acc.b1); }
}
