// nf4_matmul_grad with operands in f16: dx[m, k] (+)= Σn dy[m, n]·w[n, k] + Σr v[m, r]·a[r, k]
//
// The scaling of rows, the tiles and the sums are those of nf4_matmul_f16: 64 rows × 128 k a workgroup of 128
// threads, over chunks of 32 n, the next chunk fetched ahead.
// Beside this text stand nf4_decode and row_scale_inverse.

enable f16;

struct Params {
  rows: u32, columns: u32, depth: u32, rank: u32,
  accumulate: u32,
  absmax_at: u32, map_at: u32, nested_shift: u32, offset: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> dy: array<vec4f>;
@group(0) @binding(2) var<storage, read> codes: array<vec4u>;
@group(0) @binding(3) var<storage, read> scales: array<u32>;
@group(0) @binding(4) var<storage, read> v: array<f32>;
@group(0) @binding(5) var<storage, read> a: array<vec4f>;
@group(0) @binding(6) var<storage, read> row_scales: array<f32>;
@group(0) @binding(7) var<storage, read_write> dx: array<vec4f>;

// For GPUs that multiply and add f16 at twice the rate of f32.
override HALF_SUMS: bool = false;

const TILE_M = 64u;
const TILE_K = 128u;
const CHUNK = 32u;
const STRIDE_Y = 17u;  // vec4 between n of the dy tile, 16 in use
const STRIDE_W = 33u;  // vec4 between n of the weight tile, 32 in use

var<workgroup> tile_y: array<vec4<f16>, CHUNK * STRIDE_Y>;
var<workgroup> tile_w: array<vec4<f16>, CHUNK * STRIDE_W>;

// What a thread brings of the next chunk: four rows × four n of dy, 32 k of one n of w.
struct Fetched { y: mat4x4f, words: vec4u, scale: f32, dense: array<vec4u, 4> }

fn fetch_weights(m: u32, first_k: u32, first_n: u32, lane: u32) -> Fetched {
  var f: Fetched;
  let at_n = first_n + (lane % 8u) * 4u;
  for (var i = 0u; i < 4u; i++) {
    if (m + i < p.rows && at_n < p.columns) { f.y[i] = dy[((m + i) * p.columns + at_n) / 4u]; }
  }
  let n = first_n + lane % 32u;
  let k = first_k + (lane / 32u) * 32u;
  if (n < p.columns && k < p.depth) {
    if (STORED == 0u) {
      f.words = codes[(k / 32u) * p.columns + n];
      f.scale = scale_of((n * p.depth + k) / 64u);
    } else {
      let at = (n * p.depth + k) / 8u;
      f.dense = array<vec4u, 4>(codes[at], codes[at + 1u], codes[at + 2u], codes[at + 3u]);
    }
  }
  return f;
}

fn put_y(inverse: vec4f, rows: mat4x4f, lane: u32) {
  let columns = transpose(rows);
  for (var j = 0u; j < 4u; j++) {
    tile_y[((lane % 8u) * 4u + j) * STRIDE_Y + lane / 8u] = vec4<f16>(columns[j] * inverse);
  }
}

fn put_weights(f: Fetched, inverse: vec4f, lane: u32) {
  put_y(inverse, f.y, lane);
  let at = (lane % 32u) * STRIDE_W + (lane / 32u) * 8u;
  if (STORED != 0u) {
    for (var j = 0u; j < 4u; j++) {
      tile_w[at + 2u * j] = vec4<f16>(halves4(f.dense[j].xy));
      tile_w[at + 2u * j + 1u] = vec4<f16>(halves4(f.dense[j].zw));
    }
    return;
  }
  for (var j = 0u; j < 8u; j++) {
    let word = f.words[j / 2u] >> (16u * (j % 2u));
    tile_w[at + j] = vec4<f16>(decode4(word, f.scale));
  }
}

fn v_at(m: u32, r: u32) -> f32 {
  if (m < p.rows && r < p.rank) { return v[m * p.rank + r]; }
  return 0.0;
}

fn put_lora(inverse: vec4f, m: u32, first_k: u32, first_r: u32, lane: u32) {
  var rows: mat4x4f;
  let at = first_r + (lane % 8u) * 4u;
  for (var i = 0u; i < 4u; i++) {
    rows[i] = vec4f(v_at(m + i, at), v_at(m + i, at + 1u), v_at(m + i, at + 2u), v_at(m + i, at + 3u));
  }
  put_y(inverse, rows, lane);
  let k = first_k + (lane % 32u) * 4u;
  for (var j = lane / 32u; j < CHUNK; j += 4u) {
    let r = first_r + j;
    var value = vec4f();
    if (r < p.rank && k < p.depth) { value = a[(r * p.depth + k) / 4u]; }
    tile_w[j * STRIDE_W + lane % 32u] = vec4<f16>(value);
  }
}

fn store(m: u32, k: u32, value: vec4f) {
  if (m >= p.rows || k >= p.depth) { return; }
  let at = (m * p.depth + k) / 4u;
  let scaled = value * row_scales[m];
  if (p.accumulate != 0u) { dx[at] += scaled; } else { dx[at] = scaled; }
}

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  fill_book(lane);
  let first_m = group.y * TILE_M;
  let first_k = group.x * TILE_K;
  let m = first_m + (lane / 8u) * 4u;
  var inverse = vec4f();
  for (var i = 0u; i < 4u; i++) { inverse[i] = inverse_scale(m + i); }
  // A thread computes rows 4ty… and 32 + 4ty…, k 4tx… and 64 + 4tx….
  let tx = lane % 16u;
  let ty = lane / 16u;
  var a0 = vec4f(); var a1 = vec4f(); var a2 = vec4f(); var a3 = vec4f();
  var a4 = vec4f(); var a5 = vec4f(); var a6 = vec4f(); var a7 = vec4f();
  var c0 = vec4f(); var c1 = vec4f(); var c2 = vec4f(); var c3 = vec4f();
  var c4 = vec4f(); var c5 = vec4f(); var c6 = vec4f(); var c7 = vec4f();
  let chunks = (p.columns + CHUNK - 1u) / CHUNK;
  let all = chunks + (p.rank + CHUNK - 1u) / CHUNK;
  var next = fetch_weights(m, first_k, 0u, lane);
  for (var chunk = 0u; chunk < all; chunk++) {
    workgroupBarrier();
    if (chunk < chunks) { put_weights(next, inverse, lane); }
    else { put_lora(inverse, m, first_k, (chunk - chunks) * CHUNK, lane); }
    workgroupBarrier();
    if (chunk + 1u < chunks) { next = fetch_weights(m, first_k, (chunk + 1u) * CHUNK, lane); }
    if (!HALF_SUMS) {
      for (var n = 0u; n < CHUNK; n++) {
        let y0 = vec4f(tile_y[n * STRIDE_Y + ty]);
        let y1 = vec4f(tile_y[n * STRIDE_Y + 8u + ty]);
        let w0 = vec4f(tile_w[n * STRIDE_W + tx]);
        let w1 = vec4f(tile_w[n * STRIDE_W + 16u + tx]);
        a0 = fma(vec4f(y0.x), w0, a0); a1 = fma(vec4f(y0.y), w0, a1);
        a2 = fma(vec4f(y0.z), w0, a2); a3 = fma(vec4f(y0.w), w0, a3);
        a4 = fma(vec4f(y1.x), w0, a4); a5 = fma(vec4f(y1.y), w0, a5);
        a6 = fma(vec4f(y1.z), w0, a6); a7 = fma(vec4f(y1.w), w0, a7);
        c0 = fma(vec4f(y0.x), w1, c0); c1 = fma(vec4f(y0.y), w1, c1);
        c2 = fma(vec4f(y0.z), w1, c2); c3 = fma(vec4f(y0.w), w1, c3);
        c4 = fma(vec4f(y1.x), w1, c4); c5 = fma(vec4f(y1.y), w1, c5);
        c6 = fma(vec4f(y1.z), w1, c6); c7 = fma(vec4f(y1.w), w1, c7);
      }
      continue;
    }
    for (var half = 0u; half < 2u; half++) {
      var h0 = vec4<f16>(); var h1 = vec4<f16>(); var h2 = vec4<f16>(); var h3 = vec4<f16>();
      var h4 = vec4<f16>(); var h5 = vec4<f16>(); var h6 = vec4<f16>(); var h7 = vec4<f16>();
      var g0 = vec4<f16>(); var g1 = vec4<f16>(); var g2 = vec4<f16>(); var g3 = vec4<f16>();
      var g4 = vec4<f16>(); var g5 = vec4<f16>(); var g6 = vec4<f16>(); var g7 = vec4<f16>();
      for (var i = 0u; i < 16u; i++) {
        let n = half * 16u + i;
        let y0 = tile_y[n * STRIDE_Y + ty];
        let y1 = tile_y[n * STRIDE_Y + 8u + ty];
        let w0 = tile_w[n * STRIDE_W + tx];
        let w1 = tile_w[n * STRIDE_W + 16u + tx];
        h0 = fma(vec4<f16>(y0.x), w0, h0); h1 = fma(vec4<f16>(y0.y), w0, h1);
        h2 = fma(vec4<f16>(y0.z), w0, h2); h3 = fma(vec4<f16>(y0.w), w0, h3);
        h4 = fma(vec4<f16>(y1.x), w0, h4); h5 = fma(vec4<f16>(y1.y), w0, h5);
        h6 = fma(vec4<f16>(y1.z), w0, h6); h7 = fma(vec4<f16>(y1.w), w0, h7);
        g0 = fma(vec4<f16>(y0.x), w1, g0); g1 = fma(vec4<f16>(y0.y), w1, g1);
        g2 = fma(vec4<f16>(y0.z), w1, g2); g3 = fma(vec4<f16>(y0.w), w1, g3);
        g4 = fma(vec4<f16>(y1.x), w1, g4); g5 = fma(vec4<f16>(y1.y), w1, g5);
        g6 = fma(vec4<f16>(y1.z), w1, g6); g7 = fma(vec4<f16>(y1.w), w1, g7);
      }
      a0 += vec4f(h0); a1 += vec4f(h1); a2 += vec4f(h2); a3 += vec4f(h3);
      a4 += vec4f(h4); a5 += vec4f(h5); a6 += vec4f(h6); a7 += vec4f(h7);
      c0 += vec4f(g0); c1 += vec4f(g1); c2 += vec4f(g2); c3 += vec4f(g3);
      c4 += vec4f(g4); c5 += vec4f(g5); c6 += vec4f(g6); c7 += vec4f(g7);
    }
  }
  let mo = first_m + ty * 4u;
  let ko = first_k + tx * 4u;
  store(mo, ko, a0); store(mo + 1u, ko, a1); store(mo + 2u, ko, a2); store(mo + 3u, ko, a3);
  store(mo + 32u, ko, a4); store(mo + 33u, ko, a5); store(mo + 34u, ko, a6); store(mo + 35u, ko, a7);
  store(mo, ko + 64u, c0); store(mo + 1u, ko + 64u, c1); store(mo + 2u, ko + 64u, c2); store(mo + 3u, ko + 64u, c3);
  store(mo + 32u, ko + 64u, c4); store(mo + 33u, ko + 64u, c5);
  store(mo + 34u, ko + 64u, c6); store(mo + 35u, ko + 64u, c7);
}

#include "linear/nf4_decode.wgsl"
#include "shared/row_scale_inverse.wgsl"
