// dq = scale·Σ_keys ds·k, with ds = p·(do·vᵀ − delta) and p = exp(score − log-sum-exp) recomputed.
// One workgroup per 64 queries of one head, keys 32 at a time. The thread (row, col) has the queries 4·row …
// 4·row + 3; of ds the keys col + 8i, of dq the vec4 columns col + 8i, i = 0 … 3.

struct Params { tokens: u32, heads: u32, kv_heads: u32, scale: f32 }

// head_dim / 4, at most 32.
override HEAD4: u32;

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> q: array<vec4f>;
@group(0) @binding(2) var<storage, read> k: array<vec4f>;
@group(0) @binding(3) var<storage, read> v: array<vec4f>;
@group(0) @binding(4) var<storage, read> dout: array<vec4f>;
@group(0) @binding(5) var<storage, read> stats: array<vec2f>;
@group(0) @binding(6) var<storage, read> ranges: array<vec2u>;
@group(0) @binding(7) var<storage, read_write> dq: array<vec4f>;

const THREADS = 128u;
const QUERIES = 64u;
const KEYS = 32u;
// vec4 columns of q, do, k and v that are staged at a time.
const CHUNK = 4u;
const DO_AT = CHUNK * QUERIES;
const K_AT = 2u * CHUNK * QUERIES;
const V_AT = K_AT + CHUNK * KEYS;
// k rows take the first half of the tile, as many as fit; ds [key][row] the second.
const DS_AT = 512u;
override K_ROWS: u32 = min(KEYS, DS_AT / HEAD4);

var<workgroup> tile: array<vec4f, 1024>;

// Where column c of a row is staged: neighbours in both directions fall into different banks.
fn slot(rows: u32, row: u32, c: u32) -> u32 { return c * rows + (row ^ c); }

// The four query rows of a thread in column c of the staged matrix at `at`.
fn four(at: u32, row: u32, c: u32) -> mat4x4f {
  return mat4x4f(
    tile[at + slot(QUERIES, 4u * row, c)],
    tile[at + slot(QUERIES, 4u * row + 1u, c)],
    tile[at + slot(QUERIES, 4u * row + 2u, c)],
    tile[at + slot(QUERIES, 4u * row + 3u, c)],
  );
}

// a[i]·b[j] as column j.
fn outer(a: vec4f, b: vec4f) -> mat4x4f { return mat4x4f(a * b.x, a * b.y, a * b.z, a * b.w); }

// Softmax of four queries for one key, 0 where they do not see it.
fn weights(score: vec4f, key: u32, first_key: vec4u, query: vec4u, lse: vec4f) -> vec4f {
  let at = vec4u(key);
  return select(vec4f(), exp(score * p.scale - lse), (at >= first_key) & (at <= query));
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
  var first_key = vec4u();
  var lse = vec4f();
  var delta = vec4f();
  for (var i = 0u; i < 4u; i++) {
    let known = min(query[i], p.tokens - 1u);
    let stat = stats[known * p.heads + head];
    first_key[i] = ranges[known].x;
    lse[i] = stat.x;
    delta[i] = stat.y;
  }

  var acc0 = mat4x4f();
  var acc1 = mat4x4f();
  var acc2 = mat4x4f();
  var acc3 = mat4x4f();
  for (var key_begin = ranges[begin].x; key_begin < end; key_begin += KEYS) {
    var s0 = vec4f();
    var s1 = vec4f();
    var s2 = vec4f();
    var s3 = vec4f();
    var dp0 = vec4f();
    var dp1 = vec4f();
    var dp2 = vec4f();
    var dp3 = vec4f();
    for (var c_begin = 0u; c_begin < HEAD4; c_begin += CHUNK) {
      let c_lane = lane % CHUNK;
      let inside = c_begin + c_lane < HEAD4;
      for (var r = lane / CHUNK; r < QUERIES; r += THREADS / CHUNK) {
        var q_value = vec4f();
        var do_value = vec4f();
        if (inside && begin + r < p.tokens) {
          let at = ((begin + r) * p.heads + head) * HEAD4 + c_begin + c_lane;
          q_value = q[at];
          do_value = dout[at];
        }
        tile[slot(QUERIES, r, c_lane)] = q_value;
        tile[DO_AT + slot(QUERIES, r, c_lane)] = do_value;
      }
      {
        let r = lane / CHUNK;
        var k_value = vec4f();
        var v_value = vec4f();
        if (inside && key_begin + r < p.tokens) {
          let at = ((key_begin + r) * p.kv_heads + kv_head) * HEAD4 + c_begin + c_lane;
          k_value = k[at];
          v_value = v[at];
        }
        tile[K_AT + slot(KEYS, r, c_lane)] = k_value;
        tile[V_AT + slot(KEYS, r, c_lane)] = v_value;
      }
      workgroupBarrier();
      for (var c = 0u; c < CHUNK; c++) {
        let qs = four(0u, row, c);
        s0 += tile[K_AT + slot(KEYS, col, c)] * qs;
        s1 += tile[K_AT + slot(KEYS, col + 8u, c)] * qs;
        s2 += tile[K_AT + slot(KEYS, col + 16u, c)] * qs;
        s3 += tile[K_AT + slot(KEYS, col + 24u, c)] * qs;
        let dos = four(DO_AT, row, c);
        dp0 += tile[V_AT + slot(KEYS, col, c)] * dos;
        dp1 += tile[V_AT + slot(KEYS, col + 8u, c)] * dos;
        dp2 += tile[V_AT + slot(KEYS, col + 16u, c)] * dos;
        dp3 += tile[V_AT + slot(KEYS, col + 24u, c)] * dos;
      }
      workgroupBarrier();
    }

    let key = key_begin + col;
    tile[DS_AT + 16u * col + row] = weights(s0, key, first_key, query, lse) * (dp0 - delta);
    tile[DS_AT + 16u * (col + 8u) + row] = weights(s1, key + 8u, first_key, query, lse) * (dp1 - delta);
    tile[DS_AT + 16u * (col + 16u) + row] = weights(s2, key + 16u, first_key, query, lse) * (dp2 - delta);
    tile[DS_AT + 16u * (col + 24u) + row] = weights(s3, key + 24u, first_key, query, lse) * (dp3 - delta);

    for (var k_begin = 0u; k_begin < KEYS; k_begin += K_ROWS) {
      for (var i = lane; i < K_ROWS * HEAD4; i += THREADS) {
        let key = key_begin + k_begin + i / HEAD4;
        var value = vec4f();
        if (key < p.tokens) { value = k[(key * p.kv_heads + kv_head) * HEAD4 + i % HEAD4]; }
        tile[i] = value;
      }
      workgroupBarrier();
      let rows = min(K_ROWS, KEYS - k_begin);
      for (var j = 0u; j < rows; j++) {
        let ds = tile[DS_AT + 16u * (k_begin + j) + row];
        let at = j * HEAD4 + col;
        acc0 += outer(tile[at], ds);
        if (HEAD4 > 8u) { acc1 += outer(tile[at + 8u], ds); }
        if (HEAD4 > 16u) { acc2 += outer(tile[at + 16u], ds); }
        if (HEAD4 > 24u) { acc3 += outer(tile[at + 24u], ds); }
      }
      workgroupBarrier();
    }
  }

  for (var i = 0u; i < 4u; i++) {
    if (query[i] >= p.tokens) { break; }
    let at = (query[i] * p.heads + head) * HEAD4 + col;
    if (col < HEAD4) { dq[at] = acc0[i] * p.scale; }
    if (col + 8u < HEAD4) { dq[at + 8u] = acc1[i] * p.scale; }
    if (col + 16u < HEAD4) { dq[at + 16u] = acc2[i] * p.scale; }
    if (col + 24u < HEAD4) { dq[at + 24u] = acc3[i] * p.scale; }
  }
}
