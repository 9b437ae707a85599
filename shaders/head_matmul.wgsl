// logits[m, first + n] = Σk x[m, k]·table[n, k] for the rows `first`… of the output embedding that one buffer holds.
// The table stays 16-bit (or f32, where the checkpoint is f32) and is decoded once per tile. Tiles as in nf4_matmul.
// Beside this text stands table_decode.

struct Params { rows: u32, columns: u32, depth: u32, first: u32, stride: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> table: array<vec4u>;
@group(0) @binding(3) var<storage, read_write> logits: array<f32>;

const THREADS = 128u;
const TILE_M = 64u;
const TILE_N = 128u;
const STRIDE = 5u;

var<workgroup> tile_x: array<vec4f, TILE_M * STRIDE>;
var<workgroup> tile_w: array<vec4f, TILE_N * STRIDE>;

fn load(first_m: u32, first_n: u32, k: u32, lane: u32) {
  for (var i = lane; i < TILE_M * 4u; i += THREADS) {
    let m = first_m + i / 4u;
    var v = vec4f();
    if (m < p.rows) { v = x[(m * p.depth + k) / 4u + i % 4u]; }
    tile_x[(i / 4u) * STRIDE + i % 4u] = v;
  }
  if (FORMAT == 2u) {
    for (var i = lane; i < TILE_N * 4u; i += THREADS) {
      let n = first_n + i / 4u;
      var v = vec4u();
      if (n < p.columns) { v = table[(n * p.depth + k) / 4u + i % 4u]; }
      tile_w[(i / 4u) * STRIDE + i % 4u] = bitcast<vec4f>(v);
    }
  } else {
    for (var i = lane; i < TILE_N * 2u; i += THREADS) {
      let n = first_n + i / 2u;
      var v = vec4u();
      if (n < p.columns) { v = table[(n * p.depth + k) / 8u + i % 2u]; }
      let at = (i / 2u) * STRIDE + (i % 2u) * 2u;
      tile_w[at] = vec4f(halves(v.x), halves(v.y));
      tile_w[at + 1u] = vec4f(halves(v.z), halves(v.w));
    }
  }
}

// c + the products of x's four k with four words: one fused multiply-add each, where a dot product and a sum take five.
fn mac(c: vec4f, v: vec4f, w0: vec4f, w1: vec4f, w2: vec4f, w3: vec4f) -> vec4f {
  return fma(vec4f(w0.w, w1.w, w2.w, w3.w), vec4f(v.w), fma(vec4f(w0.z, w1.z, w2.z, w3.z), vec4f(v.z),
    fma(vec4f(w0.y, w1.y, w2.y, w3.y), vec4f(v.y), fma(vec4f(w0.x, w1.x, w2.x, w3.x), vec4f(v.x), c))));
}

fn store(m: u32, n: u32, value: f32) {
  if (m < p.rows && n < p.columns) { logits[m * p.stride + p.first + n] = value; }
}

fn store4(m: u32, n: u32, v: vec4f) {
  store(m, n, v.x);
  store(m, n + 16u, v.y);
  store(m, n + 32u, v.z);
  store(m, n + 48u, v.w);
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first_m = group.y * TILE_M;
  let first_n = group.x * TILE_N;
  let tx = lane % 16u;
  let ty = lane / 16u;
  var a0 = vec4f(); var a1 = vec4f(); var a2 = vec4f(); var a3 = vec4f();
  var a4 = vec4f(); var a5 = vec4f(); var a6 = vec4f(); var a7 = vec4f();
  var c0 = vec4f(); var c1 = vec4f(); var c2 = vec4f(); var c3 = vec4f();
  var c4 = vec4f(); var c5 = vec4f(); var c6 = vec4f(); var c7 = vec4f();
  for (var first_k = 0u; first_k < p.depth; first_k += 16u) {
    workgroupBarrier();
    load(first_m, first_n, first_k, lane);
    workgroupBarrier();
    for (var k = 0u; k < 4u; k++) {
      let xs = ty * STRIDE + k;
      let x0 = tile_x[xs]; let x1 = tile_x[xs + 8u * STRIDE];
      let x2 = tile_x[xs + 16u * STRIDE]; let x3 = tile_x[xs + 24u * STRIDE];
      let x4 = tile_x[xs + 32u * STRIDE]; let x5 = tile_x[xs + 40u * STRIDE];
      let x6 = tile_x[xs + 48u * STRIDE]; let x7 = tile_x[xs + 56u * STRIDE];
      let ws = tx * STRIDE + k;
      var w0 = tile_w[ws]; var w1 = tile_w[ws + 16u * STRIDE];
      var w2 = tile_w[ws + 32u * STRIDE]; var w3 = tile_w[ws + 48u * STRIDE];
      a0 = mac(a0, x0, w0, w1, w2, w3); a1 = mac(a1, x1, w0, w1, w2, w3);
      a2 = mac(a2, x2, w0, w1, w2, w3); a3 = mac(a3, x3, w0, w1, w2, w3);
      a4 = mac(a4, x4, w0, w1, w2, w3); a5 = mac(a5, x5, w0, w1, w2, w3);
      a6 = mac(a6, x6, w0, w1, w2, w3); a7 = mac(a7, x7, w0, w1, w2, w3);
      w0 = tile_w[ws + 64u * STRIDE]; w1 = tile_w[ws + 80u * STRIDE];
      w2 = tile_w[ws + 96u * STRIDE]; w3 = tile_w[ws + 112u * STRIDE];
      c0 = mac(c0, x0, w0, w1, w2, w3); c1 = mac(c1, x1, w0, w1, w2, w3);
      c2 = mac(c2, x2, w0, w1, w2, w3); c3 = mac(c3, x3, w0, w1, w2, w3);
      c4 = mac(c4, x4, w0, w1, w2, w3); c5 = mac(c5, x5, w0, w1, w2, w3);
      c6 = mac(c6, x6, w0, w1, w2, w3); c7 = mac(c7, x7, w0, w1, w2, w3);
    }
  }
  let m = first_m + ty;
  let n = first_n + tx;
  store4(m, n, a0); store4(m + 8u, n, a1); store4(m + 16u, n, a2); store4(m + 24u, n, a3);
  store4(m + 32u, n, a4); store4(m + 40u, n, a5); store4(m + 48u, n, a6); store4(m + 56u, n, a7);
  store4(m, n + 64u, c0); store4(m + 8u, n + 64u, c1); store4(m + 16u, n + 64u, c2); store4(m + 24u, n + 64u, c3);
  store4(m + 32u, n + 64u, c4); store4(m + 40u, n + 64u, c5); store4(m + 48u, n + 64u, c6); store4(m + 56u, n + 64u, c7);
}
