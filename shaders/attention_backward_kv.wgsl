// dv = Σ_queries p·do and dk = scale·Σ_queries ds·q, over the query heads that share the key head, with
// p = exp(score − log-sum-exp) recomputed and ds = p·(do·vᵀ − delta).
// One workgroup per 32 keys of one key head and one of p.parts shares of its query heads, queries 32 at a time, head
// after head: the order of sums is fixed. Where there are several shares, dk and dv are [share, …], for sum_slices.
// The thread (row, col) has the keys 4·row … 4·row + 3; of p and ds the queries col and col + 16, of dk and dv the
// vec4 columns col and col + 16.

struct Params { tokens: u32, heads: u32, kv_heads: u32, scale: f32, parts: u32, part_heads: u32 }

// head_dim / 4, at most 32.
override HEAD4: u32;

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> q: array<vec4f>;
@group(0) @binding(2) var<storage, read> k: array<vec4f>;
@group(0) @binding(3) var<storage, read> v: array<vec4f>;
@group(0) @binding(4) var<storage, read> dout: array<vec4f>;
@group(0) @binding(5) var<storage, read> stats: array<vec2f>;
@group(0) @binding(6) var<storage, read> ranges: array<vec2u>;
@group(0) @binding(7) var<storage, read_write> dk: array<vec4f>;
@group(0) @binding(8) var<storage, read_write> dv: array<vec4f>;

const THREADS = 128u;
// Keys, and queries at a time.
const SIDE = 32u;
// vec4 columns of k, v, q and do that are staged at a time.
const CHUNK = 8u;
const V_AT = CHUNK * SIDE;
const Q_AT = 2u * CHUNK * SIDE;
const DO_AT = 3u * CHUNK * SIDE;
// Afterwards q rows take the first quarter of the tile and do rows the second, as many as fit; p [query][row] the
// third and ds the fourth.
const DO_ROWS_AT = 256u;
const P_AT = 512u;
const DS_AT = 768u;
override ROWS: u32 = min(SIDE, DO_ROWS_AT / HEAD4);

var<workgroup> tile: array<vec4f, 1024>;

// Where column c of a row is staged: neighbours in both directions fall into different banks.
fn slot(row: u32, c: u32) -> u32 { return c * SIDE + (row ^ c); }

// The four key rows of a thread in column c of the staged matrix at `at`.
fn four(at: u32, row: u32, c: u32) -> mat4x4f {
  return mat4x4f(
    tile[at + slot(4u * row, c)],
    tile[at + slot(4u * row + 1u, c)],
    tile[at + slot(4u * row + 2u, c)],
    tile[at + slot(4u * row + 3u, c)],
  );
}

// a[i]·b[j] as column j.
fn outer(a: vec4f, b: vec4f) -> mat4x4f { return mat4x4f(a * b.x, a * b.y, a * b.z, a * b.w); }

// Writes p and ds of query `begin + i` with a thread's four keys, given their unscaled scores and do·vᵀ.
fn softmax_backward(begin: u32, i: u32, row: u32, head: u32, keys: vec4u, score: vec4f, dp: vec4f) {
  let query = begin + i;
  var weight = vec4f();
  var ds = vec4f();
  if (query < p.tokens) {
    let stat = stats[query * p.heads + head];
    let seen = (keys >= vec4u(ranges[query].x)) & (keys <= vec4u(query));
    weight = select(vec4f(), exp(score * p.scale - stat.x), seen);
    ds = weight * (dp - stat.y);
  }
  tile[P_AT + 8u * i + row] = weight;
  tile[DS_AT + 8u * i + row] = ds;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = lane / 16u;
  let col = lane % 16u;
  let kv_head = group.y / p.parts;
  let part = group.y % p.parts;
  let heads_per_kv = p.heads / p.kv_heads;
  let first_head = kv_head * heads_per_kv + part * p.part_heads;
  let end_head = min(first_head + p.part_heads, (kv_head + 1u) * heads_per_kv);
  let begin = SIDE * group.x;
  let keys = begin + 4u * row + vec4u(0u, 1u, 2u, 3u);
  // No query past the document of the last key sees any of these keys.
  let query_end = ranges[min(begin + SIDE, p.tokens) - 1u].y;

  var dk0 = mat4x4f();
  var dk1 = mat4x4f();
  var dv0 = mat4x4f();
  var dv1 = mat4x4f();
  for (var head = first_head; head < end_head; head++) {
    for (var query_begin = begin; query_begin < query_end; query_begin += SIDE) {
      var s0 = vec4f();
      var s1 = vec4f();
      var dp0 = vec4f();
      var dp1 = vec4f();
      for (var c_begin = 0u; c_begin < HEAD4; c_begin += CHUNK) {
        let c_lane = lane % CHUNK;
        let inside = c_begin + c_lane < HEAD4;
        for (var r = lane / CHUNK; r < SIDE; r += THREADS / CHUNK) {
          var k_value = vec4f();
          var v_value = vec4f();
          if (inside && begin + r < p.tokens) {
            let at = ((begin + r) * p.kv_heads + kv_head) * HEAD4 + c_begin + c_lane;
            k_value = k[at];
            v_value = v[at];
          }
          var q_value = vec4f();
          var do_value = vec4f();
          if (inside && query_begin + r < p.tokens) {
            let at = ((query_begin + r) * p.heads + head) * HEAD4 + c_begin + c_lane;
            q_value = q[at];
            do_value = dout[at];
          }
          tile[slot(r, c_lane)] = k_value;
          tile[V_AT + slot(r, c_lane)] = v_value;
          tile[Q_AT + slot(r, c_lane)] = q_value;
          tile[DO_AT + slot(r, c_lane)] = do_value;
        }
        workgroupBarrier();
        for (var c = 0u; c < CHUNK; c++) {
          let ks = four(0u, row, c);
          s0 += tile[Q_AT + slot(col, c)] * ks;
          s1 += tile[Q_AT + slot(col + 16u, c)] * ks;
          let vs = four(V_AT, row, c);
          dp0 += tile[DO_AT + slot(col, c)] * vs;
          dp1 += tile[DO_AT + slot(col + 16u, c)] * vs;
        }
        workgroupBarrier();
      }

      softmax_backward(query_begin, col, row, head, keys, s0, dp0);
      softmax_backward(query_begin, col + 16u, row, head, keys, s1, dp1);

      for (var rows_begin = 0u; rows_begin < SIDE; rows_begin += ROWS) {
        for (var i = lane; i < ROWS * HEAD4; i += THREADS) {
          let query = query_begin + rows_begin + i / HEAD4;
          var q_value = vec4f();
          var do_value = vec4f();
          if (query < p.tokens) {
            let at = (query * p.heads + head) * HEAD4 + i % HEAD4;
            q_value = q[at];
            do_value = dout[at];
          }
          tile[i] = q_value;
          tile[DO_ROWS_AT + i] = do_value;
        }
        workgroupBarrier();
        let rows = min(ROWS, SIDE - rows_begin);
        for (var j = 0u; j < rows; j++) {
          let weight = tile[P_AT + 8u * (rows_begin + j) + row];
          let ds = tile[DS_AT + 8u * (rows_begin + j) + row];
          dk0 += outer(tile[j * HEAD4 + col], ds);
          dv0 += outer(tile[DO_ROWS_AT + j * HEAD4 + col], weight);
          if (HEAD4 > 16u) {
            dk1 += outer(tile[j * HEAD4 + col + 16u], ds);
            dv1 += outer(tile[DO_ROWS_AT + j * HEAD4 + col + 16u], weight);
          }
        }
        workgroupBarrier();
      }
    }
  }

  for (var i = 0u; i < 4u; i++) {
    if (keys[i] >= p.tokens) { break; }
    let at = ((part * p.tokens + keys[i]) * p.kv_heads + kv_head) * HEAD4 + col;
    if (col < HEAD4) {
      dk[at] = dk0[i] * p.scale;
      dv[at] = dv0[i];
    }
    if (col + 16u < HEAD4) {
      dk[at + 16u] = dk1[i] * p.scale;
      dv[at + 16u] = dv1[i];
    }
  }
}
