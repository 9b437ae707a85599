// y[m, n] = Σk x[m, k]·w[n, k] + Σr u[m, r]·b[n, r] + bias[n] + residual[m, n]
//
// w is NF4: codes lie as 32 consecutive k of one row per 16 bytes, ordered [k/32][n], the first code in the lowest
// bits; the scale of element (n, k) is number (n·K + k)/64. A workgroup of 128 threads makes a tile of 64 rows ×
// 128 columns, 8 × 8 a thread, over chunks of 16 k; each weight is decoded once per tile, into workgroup memory.
// The LoRA product is simply more chunks. Rows in workgroup memory are five vec4 apart: no bank conflicts.

struct Params {
  rows: u32, columns: u32, depth: u32, rank: u32,
  has_bias: u32, has_residual: u32,
  absmax_at: u32, map_at: u32, nested_shift: u32, offset: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> codes: array<vec2u>;
@group(0) @binding(3) var<storage, read> scales: array<u32>;
@group(0) @binding(4) var<storage, read> u: array<f32>;
@group(0) @binding(5) var<storage, read> b: array<f32>;
@group(0) @binding(6) var<storage, read> bias: array<f32>;
@group(0) @binding(7) var<storage, read> residual: array<f32>;
@group(0) @binding(8) var<storage, read_write> y: array<f32>;

// True where the scales are themselves 8-bit codes (double quantisation).
override NESTED: bool = false;

const THREADS = 128u;
const TILE_M = 64u;
const TILE_N = 128u;
const STRIDE = 5u;

var<workgroup> tile_x: array<vec4f, TILE_M * STRIDE>;
var<workgroup> tile_w: array<vec4f, TILE_N * STRIDE>;
var<workgroup> book: array<f32, 16>;

const NF4 = array<f32, 16>(
  -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
  -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634,
  0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0);

fn scale_of(block: u32) -> f32 {
  if (!NESTED) { return bitcast<f32>(scales[block]); }
  let code = (scales[block >> 2u] >> (8u * (block & 3u))) & 255u;
  return bitcast<f32>(scales[p.map_at + code]) * bitcast<f32>(scales[p.absmax_at + (block >> p.nested_shift)]) + p.offset;
}

fn decode4(word: u32, scale: f32) -> vec4f {
  return vec4f(book[word & 15u], book[(word >> 4u) & 15u], book[(word >> 8u) & 15u], book[(word >> 12u) & 15u]) * scale;
}

fn u_at(m: u32, r: u32) -> f32 {
  if (m < p.rows && r < p.rank) { return u[m * p.rank + r]; }
  return 0.0;
}

fn b_at(n: u32, r: u32) -> f32 {
  if (n < p.columns && r < p.rank) { return b[n * p.rank + r]; }
  return 0.0;
}

fn load_weights(first_m: u32, first_n: u32, k: u32, lane: u32) {
  for (var i = lane; i < TILE_M * 4u; i += THREADS) {
    let m = first_m + i / 4u;
    var v = vec4f();
    if (m < p.rows) { v = x[(m * p.depth + k) / 4u + i % 4u]; }
    tile_x[(i / 4u) * STRIDE + i % 4u] = v;
  }
  let n = first_n + lane;
  var word = vec2u(0x77777777u);
  var scale = 0.0;
  if (n < p.columns) {
    word = codes[((k / 32u) * p.columns + n) * 2u + (k / 16u) % 2u];
    scale = scale_of((n * p.depth + k) / 64u);
  }
  let at = lane * STRIDE;
  tile_w[at] = decode4(word.x, scale);
  tile_w[at + 1u] = decode4(word.x >> 16u, scale);
  tile_w[at + 2u] = decode4(word.y, scale);
  tile_w[at + 3u] = decode4(word.y >> 16u, scale);
}

fn load_lora(first_m: u32, first_n: u32, r: u32, lane: u32) {
  for (var i = lane; i < TILE_M * 4u; i += THREADS) {
    let m = first_m + i / 4u;
    let at = r + (i % 4u) * 4u;
    tile_x[(i / 4u) * STRIDE + i % 4u] = vec4f(u_at(m, at), u_at(m, at + 1u), u_at(m, at + 2u), u_at(m, at + 3u));
  }
  for (var i = lane; i < TILE_N * 4u; i += THREADS) {
    let n = first_n + i / 4u;
    let at = r + (i % 4u) * 4u;
    tile_w[(i / 4u) * STRIDE + i % 4u] = vec4f(b_at(n, at), b_at(n, at + 1u), b_at(n, at + 2u), b_at(n, at + 3u));
  }
}

fn dots(a: vec4f, w0: vec4f, w1: vec4f, w2: vec4f, w3: vec4f) -> vec4f {
  return vec4f(dot(a, w0), dot(a, w1), dot(a, w2), dot(a, w3));
}

fn store(m: u32, n: u32, value: f32) {
  if (m >= p.rows || n >= p.columns) { return; }
  var v = value;
  if (p.has_bias != 0u) { v += bias[n]; }
  if (p.has_residual != 0u) { v += residual[m * p.columns + n]; }
  y[m * p.columns + n] = v;
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
  if (lane < 16u) { book[lane] = NF4[lane]; }
  // A thread makes rows ty + 8i and columns tx + 16j: neighbours read and write neighbouring addresses.
  let tx = lane % 16u;
  let ty = lane / 16u;
  var a0 = vec4f(); var a1 = vec4f(); var a2 = vec4f(); var a3 = vec4f();
  var a4 = vec4f(); var a5 = vec4f(); var a6 = vec4f(); var a7 = vec4f();
  var c0 = vec4f(); var c1 = vec4f(); var c2 = vec4f(); var c3 = vec4f();
  var c4 = vec4f(); var c5 = vec4f(); var c6 = vec4f(); var c7 = vec4f();
  let chunks = p.depth / 16u;
  let all = chunks + (p.rank + 15u) / 16u;
  for (var chunk = 0u; chunk < all; chunk++) {
    workgroupBarrier();
    if (chunk < chunks) { load_weights(first_m, first_n, chunk * 16u, lane); }
    else { load_lora(first_m, first_n, (chunk - chunks) * 16u, lane); }
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
      a0 += dots(x0, w0, w1, w2, w3); a1 += dots(x1, w0, w1, w2, w3);
      a2 += dots(x2, w0, w1, w2, w3); a3 += dots(x3, w0, w1, w2, w3);
      a4 += dots(x4, w0, w1, w2, w3); a5 += dots(x5, w0, w1, w2, w3);
      a6 += dots(x6, w0, w1, w2, w3); a7 += dots(x7, w0, w1, w2, w3);
      w0 = tile_w[ws + 64u * STRIDE]; w1 = tile_w[ws + 80u * STRIDE];
      w2 = tile_w[ws + 96u * STRIDE]; w3 = tile_w[ws + 112u * STRIDE];
      c0 += dots(x0, w0, w1, w2, w3); c1 += dots(x1, w0, w1, w2, w3);
      c2 += dots(x2, w0, w1, w2, w3); c3 += dots(x3, w0, w1, w2, w3);
      c4 += dots(x4, w0, w1, w2, w3); c5 += dots(x5, w0, w1, w2, w3);
      c6 += dots(x6, w0, w1, w2, w3); c7 += dots(x7, w0, w1, w2, w3);
    }
  }
  let m = first_m + ty;
  let n = first_n + tx;
  store4(m, n, a0); store4(m + 8u, n, a1); store4(m + 16u, n, a2); store4(m + 24u, n, a3);
  store4(m + 32u, n, a4); store4(m + 40u, n, a5); store4(m + 48u, n, a6); store4(m + 56u, n, a7);
  store4(m, n + 64u, c0); store4(m + 8u, n + 64u, c1); store4(m + 16u, n + 64u, c2); store4(m + 24u, n + 64u, c3);
  store4(m + 32u, n + 64u, c4); store4(m + 40u, n + 64u, c5); store4(m + 48u, n + 64u, c6); store4(m + 56u, n + 64u, c7);
}
