// dq = scale·Σ_keys ds·k, with ds = p·(do·vᵀ − delta) and p = exp(score − log-sum-exp) recomputed.
// One workgroup per 64 queries of one head, keys 32 at a time. The thread (row, col) has the queries 4·row …
// 4·row + 3; of ds the keys col and col + 16, of dq the vec4 columns col and col + 16.

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

const THREADS = 256u;
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

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = lane / 16u;
  let col = lane % 16u;
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
  for (var key_begin = ranges[begin].x; key_begin < end; key_begin += KEYS) {
    var s0 = vec4f();
    var s1 = vec4f();
    var dp0 = vec4f();
    var dp1 = vec4f();
    for (var c_begin = 0u; c_begin < HEAD4; c_begin += CHUNK) {
      let c_lane = lane % CHUNK;
      let inside = c_begin + c_lane < HEAD4;
      {
        let r = lane / CHUNK;
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
        // The first half of the threads brings k, the second v.
        let r = (lane / CHUNK) % KEYS;
        let is_v = lane >= CHUNK * KEYS;
        var value = vec4f();
        if (inside && key_begin + r < p.tokens) {
          let at = ((key_begin + r) * p.kv_heads + kv_head) * HEAD4 + c_begin + c_lane;
          if (is_v) { value = v[at]; } else { value = k[at]; }
        }
        tile[select(K_AT, V_AT, is_v) + slot(KEYS, r, c_lane)] = value;
      }
      workgroupBarrier();
      for (var c = 0u; c < CHUNK; c++) {
        let qs = four(0u, row, c);
        s0 += tile[K_AT + slot(KEYS, col, c)] * qs;
        s1 += tile[K_AT + slot(KEYS, col + 16u, c)] * qs;
        let dos = four(DO_AT, row, c);
        dp0 += tile[V_AT + slot(KEYS, col, c)] * dos;
        dp1 += tile[V_AT + slot(KEYS, col + 16u, c)] * dos;
      }
      workgroupBarrier();
    }

    let key0 = vec4u(key_begin + col);
    let key1 = key0 + 16u;
    let p0 = select(vec4f(), exp(s0 * p.scale - lse), (key0 >= first_key) & (key0 <= query));
    let p1 = select(vec4f(), exp(s1 * p.scale - lse), (key1 >= first_key) & (key1 <= query));
    tile[DS_AT + 16u * col + row] = p0 * (dp0 - delta);
    tile[DS_AT + 16u * (col + 16u) + row] = p1 * (dp1 - delta);

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
        acc0 += outer(tile[j * HEAD4 + col], ds);
        if (HEAD4 > 16u) { acc1 += outer(tile[j * HEAD4 + col + 16u], ds); }
      }
      workgroupBarrier();
    }
  }

  for (var i = 0u; i < 4u; i++) {
    if (query[i] >= p.tokens) { break; }
    let at = (query[i] * p.heads + head) * HEAD4 + col;
    if (col < HEAD4) { dq[at] = acc0[i] * p.scale; }
    if (col + 16u < HEAD4) { dq[at + 16u] = acc1[i] * p.scale; }
  }
}
