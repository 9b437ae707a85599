// nf4_matmul with operands in f16: y[m, n] = Σk x[m, k]·w[n, k] + Σr u[m, r]·b[n, r] + bias[n] + residual[m, n]
//
// Rows of x and u are divided by row_scale's powers of two on their way into f16, and y is multiplied by them again.
// A workgroup of 128 threads makes a tile of 64 rows × 128 columns, 8 × 8 a thread, over chunks of 32 k. Sums are f32,
// or, with HALF_SUMS, sixteen products are added in f16 first. Both tiles lie with k outermost, so that a thread reads
// four rows or four columns at once; the next chunk is fetched from memory while this one is multiplied.

enable f16;

struct Params {
  rows: u32, columns: u32, depth: u32, rank: u32,
  has_bias: u32, has_residual: u32,
  absmax_at: u32, map_at: u32, nested_shift: u32, offset: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> codes: array<u32>;
@group(0) @binding(3) var<storage, read> scales: array<u32>;
@group(0) @binding(4) var<storage, read> u: array<f32>;
@group(0) @binding(5) var<storage, read> b: array<f32>;
@group(0) @binding(6) var<storage, read> bias: array<f32>;
@group(0) @binding(7) var<storage, read> residual: array<f32>;
@group(0) @binding(8) var<storage, read> row_scales: array<f32>;
@group(0) @binding(9) var<storage, read_write> y: array<f32>;

// For GPUs that multiply and add f16 at twice the rate of f32.
override HALF_SUMS: bool = false;

const TILE_M = 64u;
const TILE_N = 128u;
const DEPTH = 32u;
const STRIDE_X = 17u;  // vec4 between k of the x tile, 16 in use
const STRIDE_W = 32u;

var<workgroup> tile_x: array<vec4<f16>, DEPTH * STRIDE_X>;
var<workgroup> tile_w: array<vec4<f16>, DEPTH * STRIDE_W>;

// What a thread brings of the next chunk: four rows × four k of x, four columns × eight k of w.
struct Fetched { x: mat4x4f, words: vec4u, scales: vec4f, dense: array<vec4u, 4> }

fn fetch_weights(m: u32, n: u32, k: u32, lane: u32) -> Fetched {
  var f: Fetched;
  let at_k = k + (lane % 8u) * 4u;
  for (var i = 0u; i < 4u; i++) {
    if (m + i < p.rows) { f.x[i] = x[((m + i) * p.depth + at_k) / 4u]; }
    if (n + i < p.columns) {
      if (STORED == 0u) {
        f.words[i] = codes[((k / 32u) * p.columns + n + i) * 4u + lane / 32u];
        f.scales[i] = scale_of(((n + i) * p.depth + k) / 64u);
      } else {
        let at = ((n + i) * p.depth + k) / 2u + (lane / 32u) * 4u;
        f.dense[i] = vec4u(codes[at], codes[at + 1u], codes[at + 2u], codes[at + 3u]);
      }
    }
  }
  return f;
}

fn put_x(inverse: vec4f, rows: mat4x4f, lane: u32) {
  let columns = transpose(rows);
  for (var j = 0u; j < 4u; j++) {
    tile_x[((lane % 8u) * 4u + j) * STRIDE_X + lane / 8u] = vec4<f16>(columns[j] * inverse);
  }
}

fn put_weights(f: Fetched, inverse: vec4f, lane: u32) {
  put_x(inverse, f.x, lane);
  let to = (lane / 32u) * 8u * STRIDE_W + lane % 32u;
  if (STORED != 0u) {
    for (var j = 0u; j < 4u; j++) {
      let w = transpose(mat4x2f(
        halves(f.dense[0][j]), halves(f.dense[1][j]), halves(f.dense[2][j]), halves(f.dense[3][j])));
      tile_w[to + 2u * j * STRIDE_W] = vec4<f16>(w[0]);
      tile_w[to + (2u * j + 1u) * STRIDE_W] = vec4<f16>(w[1]);
    }
    return;
  }
  for (var j = 0u; j < 8u; j++) {
    let code = (f.words >> vec4u(4u * j)) & vec4u(15u);
    let w = vec4f(book[code.x], book[code.y], book[code.z], book[code.w]) * f.scales;
    tile_w[to + j * STRIDE_W] = vec4<f16>(w);
  }
}

fn u_at(m: u32, r: u32) -> f32 {
  if (m < p.rows && r < p.rank) { return u[m * p.rank + r]; }
  return 0.0;
}

fn b_at(n: u32, r: u32) -> f32 {
  if (n < p.columns && r < p.rank) { return b[n * p.rank + r]; }
  return 0.0;
}

fn put_lora(inverse: vec4f, m: u32, n: u32, r: u32, lane: u32) {
  var rows: mat4x4f;
  let at = r + (lane % 8u) * 4u;
  for (var i = 0u; i < 4u; i++) {
    rows[i] = vec4f(u_at(m + i, at), u_at(m + i, at + 1u), u_at(m + i, at + 2u), u_at(m + i, at + 3u));
  }
  put_x(inverse, rows, lane);
  for (var j = 0u; j < 8u; j++) {
    let k = (lane / 32u) * 8u + j;
    tile_w[k * STRIDE_W + lane % 32u] = vec4<f16>(vec4f(
      b_at(n, r + k), b_at(n + 1u, r + k), b_at(n + 2u, r + k), b_at(n + 3u, r + k)));
  }
}

fn store(m: u32, n: u32, value: vec4f) {
  if (m >= p.rows) { return; }
  let scale = row_scales[m];
  for (var j = 0u; j < 4u; j++) {
    if (n + j >= p.columns) { return; }
    var v = value[j] * scale;
    if (p.has_bias != 0u) { v += bias[n + j]; }
    if (p.has_residual != 0u) { v += residual[m * p.columns + n + j]; }
    y[m * p.columns + n + j] = v;
  }
}

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  fill_book(lane);
  let first_m = group.y * TILE_M;
  let first_n = group.x * TILE_N;
  // Rows and columns that this thread brings.
  let m = first_m + (lane / 8u) * 4u;
  let n = first_n + (lane % 32u) * 4u;
  var inverse = vec4f();
  for (var i = 0u; i < 4u; i++) { inverse[i] = inverse_scale(m + i); }
  // It computes rows 4ty… and 32 + 4ty…, columns 4tx… and 64 + 4tx….
  let tx = lane % 16u;
  let ty = lane / 16u;
  var a0 = vec4f(); var a1 = vec4f(); var a2 = vec4f(); var a3 = vec4f();
  var a4 = vec4f(); var a5 = vec4f(); var a6 = vec4f(); var a7 = vec4f();
  var c0 = vec4f(); var c1 = vec4f(); var c2 = vec4f(); var c3 = vec4f();
  var c4 = vec4f(); var c5 = vec4f(); var c6 = vec4f(); var c7 = vec4f();
  let chunks = p.depth / DEPTH;
  let all = chunks + (p.rank + DEPTH - 1u) / DEPTH;
  var next = fetch_weights(m, n, 0u, lane);
  for (var chunk = 0u; chunk < all; chunk++) {
    workgroupBarrier();
    if (chunk < chunks) { put_weights(next, inverse, lane); }
    else { put_lora(inverse, m, n, (chunk - chunks) * DEPTH, lane); }
    workgroupBarrier();
    if (chunk + 1u < chunks) { next = fetch_weights(m, n, (chunk + 1u) * DEPTH, lane); }
    if (!HALF_SUMS) {
      for (var k = 0u; k < DEPTH; k++) {
        let x0 = vec4f(tile_x[k * STRIDE_X + ty]);
        let x1 = vec4f(tile_x[k * STRIDE_X + 8u + ty]);
        let w0 = vec4f(tile_w[k * STRIDE_W + tx]);
        let w1 = vec4f(tile_w[k * STRIDE_W + 16u + tx]);
        a0 = fma(vec4f(x0.x), w0, a0); a1 = fma(vec4f(x0.y), w0, a1);
        a2 = fma(vec4f(x0.z), w0, a2); a3 = fma(vec4f(x0.w), w0, a3);
        a4 = fma(vec4f(x1.x), w0, a4); a5 = fma(vec4f(x1.y), w0, a5);
        a6 = fma(vec4f(x1.z), w0, a6); a7 = fma(vec4f(x1.w), w0, a7);
        c0 = fma(vec4f(x0.x), w1, c0); c1 = fma(vec4f(x0.y), w1, c1);
        c2 = fma(vec4f(x0.z), w1, c2); c3 = fma(vec4f(x0.w), w1, c3);
        c4 = fma(vec4f(x1.x), w1, c4); c5 = fma(vec4f(x1.y), w1, c5);
        c6 = fma(vec4f(x1.z), w1, c6); c7 = fma(vec4f(x1.w), w1, c7);
      }
      continue;
    }
    for (var half = 0u; half < 2u; half++) {
      var h0 = vec4<f16>(); var h1 = vec4<f16>(); var h2 = vec4<f16>(); var h3 = vec4<f16>();
      var h4 = vec4<f16>(); var h5 = vec4<f16>(); var h6 = vec4<f16>(); var h7 = vec4<f16>();
      var g0 = vec4<f16>(); var g1 = vec4<f16>(); var g2 = vec4<f16>(); var g3 = vec4<f16>();
      var g4 = vec4<f16>(); var g5 = vec4<f16>(); var g6 = vec4<f16>(); var g7 = vec4<f16>();
      for (var i = 0u; i < 16u; i++) {
        let k = half * 16u + i;
        let x0 = tile_x[k * STRIDE_X + ty];
        let x1 = tile_x[k * STRIDE_X + 8u + ty];
        let w0 = tile_w[k * STRIDE_W + tx];
        let w1 = tile_w[k * STRIDE_W + 16u + tx];
        h0 = fma(vec4<f16>(x0.x), w0, h0); h1 = fma(vec4<f16>(x0.y), w0, h1);
        h2 = fma(vec4<f16>(x0.z), w0, h2); h3 = fma(vec4<f16>(x0.w), w0, h3);
        h4 = fma(vec4<f16>(x1.x), w0, h4); h5 = fma(vec4<f16>(x1.y), w0, h5);
        h6 = fma(vec4<f16>(x1.z), w0, h6); h7 = fma(vec4<f16>(x1.w), w0, h7);
        g0 = fma(vec4<f16>(x0.x), w1, g0); g1 = fma(vec4<f16>(x0.y), w1, g1);
        g2 = fma(vec4<f16>(x0.z), w1, g2); g3 = fma(vec4<f16>(x0.w), w1, g3);
        g4 = fma(vec4<f16>(x1.x), w1, g4); g5 = fma(vec4<f16>(x1.y), w1, g5);
        g6 = fma(vec4<f16>(x1.z), w1, g6); g7 = fma(vec4<f16>(x1.w), w1, g7);
      }
      a0 += vec4f(h0); a1 += vec4f(h1); a2 += vec4f(h2); a3 += vec4f(h3);
      a4 += vec4f(h4); a5 += vec4f(h5); a6 += vec4f(h6); a7 += vec4f(h7);
      c0 += vec4f(g0); c1 += vec4f(g1); c2 += vec4f(g2); c3 += vec4f(g3);
      c4 += vec4f(g4); c5 += vec4f(g5); c6 += vec4f(g6); c7 += vec4f(g7);
    }
  }
  let mo = first_m + ty * 4u;
  let no = first_n + tx * 4u;
  store(mo, no, a0); store(mo + 1u, no, a1); store(mo + 2u, no, a2); store(mo + 3u, no, a3);
  store(mo + 32u, no, a4); store(mo + 33u, no, a5); store(mo + 34u, no, a6); store(mo + 35u, no, a7);
  store(mo, no + 64u, c0); store(mo + 1u, no + 64u, c1); store(mo + 2u, no + 64u, c2); store(mo + 3u, no + 64u, c3);
  store(mo + 32u, no + 64u, c4); store(mo + 33u, no + 64u, c5);
  store(mo + 34u, no + 64u, c6); store(mo + 35u, no + 64u, c7);
}

#include "linear/nf4_decode.wgsl"
#include "shared/row_scale_inverse.wgsl"
