// Causal grouped-query attention within documents: o = softmax(scale·q·kᵀ)·v and the log-sum-exp of each query's scores,
// without ever holding the scores: keys come 32 at a time, under a running maximum and sum (flash attention).
// One workgroup per 64 queries of one head. The thread (row, col) has the queries 4·row … 4·row + 3; of the scores
// the keys col + 8i, of the output the vec4 columns col + 8i, i = 0 … 3.

struct Params { tokens: u32, heads: u32, kv_heads: u32, scale: f32 }

// head_dim / 4, at most 32.
override HEAD4: u32;

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> q: array<vec4f>;
@group(0) @binding(2) var<storage, read> k: array<vec4f>;
@group(0) @binding(3) var<storage, read> v: array<vec4f>;
@group(0) @binding(4) var<storage, read> ranges: array<vec2u>;
@group(0) @binding(5) var<storage, read_write> o: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> stats: array<f32>;

const THREADS = 128u;
const QUERIES = 64u;
const KEYS = 32u;
// vec4 columns of q and k that are staged at a time.
const CHUNK = 8u;
const K_AT = CHUNK * QUERIES;
// v rows take the first half of the tile, as many as fit; probabilities [key][row] the second.
const P_AT = 512u;
override V_ROWS: u32 = min(KEYS, P_AT / HEAD4);
// Below any score; finite, since WGSL promises nothing about infinities.
const LOWEST = -1e30;

// All 16 KiB: q and k columns while scoring, v and probabilities afterwards.
var<workgroup> tile: array<vec4f, 1024>;

// Where column c of a row is staged: neighbours in both directions fall into different banks.
fn slot(rows: u32, row: u32, c: u32) -> u32 { return c * rows + (row ^ c); }

// a[i]·b[j] as column j.
fn outer(a: vec4f, b: vec4f) -> mat4x4f { return mat4x4f(a * b.x, a * b.y, a * b.z, a * b.w); }

fn scaled(m: mat4x4f, by: vec4f) -> mat4x4f {
  return mat4x4f(m[0] * by.x, m[1] * by.y, m[2] * by.z, m[3] * by.w);
}

// Scores of four queries with one key, LOWEST where they do not see it.
fn masked(score: vec4f, key: u32, first_key: vec4u, query: vec4u) -> vec4f {
  let at = vec4u(key);
  return select(vec4f(LOWEST), score * p.scale, (at >= first_key) & (at <= query));
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = lane / 8u;
  let col = lane % 8u;
  let head = group.y;
  let kv_head = head / (p.heads / p.kv_heads);
  // Late queries see the most keys: the longest workgroups start first.
  let begin = QUERIES * (groups.x - 1u - group.x);
  let end = min(begin + QUERIES, p.tokens);
  let query = begin + 4u * row + vec4u(0u, 1u, 2u, 3u);
  let last = vec4u(p.tokens - 1u);
  let known = min(query, last);
  let first_key = vec4u(ranges[known.x].x, ranges[known.y].x, ranges[known.z].x, ranges[known.w].x);

  var highest = vec4f(LOWEST);
  var total = vec4f(); // this thread's keys only, until the end
  var acc0 = mat4x4f();
  var acc1 = mat4x4f();
  var acc2 = mat4x4f();
  var acc3 = mat4x4f();
  for (var key_begin = ranges[begin].x; key_begin < end; key_begin += KEYS) {
    var s0 = vec4f();
    var s1 = vec4f();
    var s2 = vec4f();
    var s3 = vec4f();
    for (var c_begin = 0u; c_begin < HEAD4; c_begin += CHUNK) {
      for (var i = lane; i < CHUNK * QUERIES; i += THREADS) {
        let r = i / CHUNK;
        let c = c_begin + i % CHUNK;
        let inside = begin + r < p.tokens && c < HEAD4;
        var value = vec4f();
        if (inside) { value = q[((begin + r) * p.heads + head) * HEAD4 + c]; }
        tile[slot(QUERIES, r, i % CHUNK)] = value;
      }
      for (var i = lane; i < CHUNK * KEYS; i += THREADS) {
        let r = i / CHUNK;
        let c = c_begin + i % CHUNK;
        let inside = key_begin + r < p.tokens && c < HEAD4;
        var value = vec4f();
        if (inside) { value = k[((key_begin + r) * p.kv_heads + kv_head) * HEAD4 + c]; }
        tile[K_AT + slot(KEYS, r, i % CHUNK)] = value;
      }
      workgroupBarrier();
      for (var c = 0u; c < CHUNK; c++) {
        let qs = mat4x4f(
          tile[slot(QUERIES, 4u * row, c)],
          tile[slot(QUERIES, 4u * row + 1u, c)],
          tile[slot(QUERIES, 4u * row + 2u, c)],
          tile[slot(QUERIES, 4u * row + 3u, c)],
        );
        s0 += tile[K_AT + slot(KEYS, col, c)] * qs;
        s1 += tile[K_AT + slot(KEYS, col + 8u, c)] * qs;
        s2 += tile[K_AT + slot(KEYS, col + 16u, c)] * qs;
        s3 += tile[K_AT + slot(KEYS, col + 24u, c)] * qs;
      }
      workgroupBarrier();
    }

    let key = key_begin + col;
    s0 = masked(s0, key, first_key, query);
    s1 = masked(s1, key + 8u, first_key, query);
    s2 = masked(s2, key + 16u, first_key, query);
    s3 = masked(s3, key + 24u, first_key, query);
    tile[P_AT + lane] = max(max(s0, s1), max(s2, s3));
    workgroupBarrier();
    let before = highest;
    for (var j = 0u; j < 8u; j++) { highest = max(highest, tile[P_AT + 8u * row + j]); }
    workgroupBarrier();
    // A query that has seen no key yet counts all of them as 1; with the first that it sees, shrink = 0 takes that off.
    let p0 = exp(s0 - highest);
    let p1 = exp(s1 - highest);
    let p2 = exp(s2 - highest);
    let p3 = exp(s3 - highest);
    tile[P_AT + 16u * col + row] = p0;
    tile[P_AT + 16u * (col + 8u) + row] = p1;
    tile[P_AT + 16u * (col + 16u) + row] = p2;
    tile[P_AT + 16u * (col + 24u) + row] = p3;
    let shrink = exp(before - highest);
    total = total * shrink + ((p0 + p1) + (p2 + p3));
    acc0 = scaled(acc0, shrink);
    if (HEAD4 > 8u) { acc1 = scaled(acc1, shrink); }
    if (HEAD4 > 16u) { acc2 = scaled(acc2, shrink); }
    if (HEAD4 > 24u) { acc3 = scaled(acc3, shrink); }

    for (var v_begin = 0u; v_begin < KEYS; v_begin += V_ROWS) {
      for (var i = lane; i < V_ROWS * HEAD4; i += THREADS) {
        let key = key_begin + v_begin + i / HEAD4;
        var value = vec4f();
        if (key < p.tokens) { value = v[(key * p.kv_heads + kv_head) * HEAD4 + i % HEAD4]; }
        tile[i] = value;
      }
      workgroupBarrier();
      let rows = min(V_ROWS, KEYS - v_begin);
      for (var j = 0u; j < rows; j++) {
        let weight = tile[P_AT + 16u * (v_begin + j) + row];
        let at = j * HEAD4 + col;
        acc0 += outer(tile[at], weight);
        if (HEAD4 > 8u) { acc1 += outer(tile[at + 8u], weight); }
        if (HEAD4 > 16u) { acc2 += outer(tile[at + 16u], weight); }
        if (HEAD4 > 24u) { acc3 += outer(tile[at + 24u], weight); }
      }
      workgroupBarrier();
    }
  }

  tile[lane] = total;
  workgroupBarrier();
  total = vec4f();
  for (var j = 0u; j < 8u; j++) { total += tile[8u * row + j]; }
  let lse = highest + log(total);
  for (var i = 0u; i < 4u; i++) {
    if (query[i] >= p.tokens) { break; }
    let at = query[i] * p.heads + head;
    if (col == 0u) { stats[2u * at] = lse[i]; }
    if (col < HEAD4) { o[at * HEAD4 + col] = acc0[i] / total[i]; }
    if (col + 8u < HEAD4) { o[at * HEAD4 + col + 8u] = acc1[i] / total[i]; }
    if (col + 16u < HEAD4) { o[at * HEAD4 + col + 16u] = acc2[i] / total[i]; }
    if (col + 24u < HEAD4) { o[at * HEAD4 + col + 24u] = acc3[i] / total[i]; }
  }
}
