// y[m, n] = Σk x[m, k]·w[n, k] + Σr u[m, r]·b[n, r] + bias[n] + residual[m, n]
//
// w is NF4: codes lie as 32 consecutive k of one row per 16 bytes, ordered [k/32][n], the first code in the lowest
// bits; the scale of element (n, k) is number (n·K + k)/64. A workgroup makes a tile of y over chunks of k: each
// weight is decoded once per tile, into workgroup memory, while the numbers of the next chunk are on their way from
// memory into registers. The LoRA product is simply more chunks. Threads stand in SLICES grids of THREADS_M ×
// THREADS_N, each thread makes ROWS × COLUMNS numbers; slices share the chunk's k among them and are summed in order
// at the end, so that a small tile still keeps many threads busy.

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

override THREADS_M: u32 = 8u;
override THREADS_N: u32 = 16u;
override SLICES: u32 = 1u;
override ROWS: u32 = 8u;     // 4 or 8
override COLUMNS: u32 = 8u;  // 4 or 8
override CHUNK: u32 = 4u;    // vec4 of k: 2, 4 or 8

override GRID = THREADS_M * THREADS_N;
override THREADS = GRID * SLICES;
override TILE_M = THREADS_M * ROWS;
override TILE_N = THREADS_N * COLUMNS;
// vec4 that a thread brings into each tile: 1, 2 or 4.
override PER_X = TILE_M * CHUNK / THREADS;
override PER_W = TILE_N * CHUNK / THREADS;
// An odd number of vec4 between rows: lanes that read the same k of neighbouring rows meet no bank conflict. Rows of
// x are read by all lanes at once.
override STRIDE = CHUNK + 1u;

var<workgroup> tile_x: array<vec4f, TILE_M * CHUNK>;
var<workgroup> tile_w: array<vec4f, TILE_N * STRIDE>;

fn u_at(m: u32, r: u32) -> f32 {
  if (m < p.rows && r < p.rank) { return u[m * p.rank + r]; }
  return 0.0;
}

fn lora_u(m: u32, r: u32) -> vec4f { return vec4f(u_at(m, r), u_at(m, r + 1u), u_at(m, r + 2u), u_at(m, r + 3u)); }

fn b_at(n: u32, r: u32) -> f32 {
  if (n < p.columns && r < p.rank) { return b[n * p.rank + r]; }
  return 0.0;
}

fn lora_b(n: u32, r: u32) -> vec4f { return vec4f(b_at(n, r), b_at(n, r + 1u), b_at(n, r + 2u), b_at(n, r + 3u)); }

// c + the products of x's four k with four columns: one fused multiply-add each, where a dot product and a sum take five.
fn mac(c: vec4f, v: vec4f, w0: vec4f, w1: vec4f, w2: vec4f, w3: vec4f) -> vec4f {
  return fma(vec4f(w0.w, w1.w, w2.w, w3.w), vec4f(v.w), fma(vec4f(w0.z, w1.z, w2.z, w3.z), vec4f(v.z),
    fma(vec4f(w0.y, w1.y, w2.y, w3.y), vec4f(v.y), fma(vec4f(w0.x, w1.x, w2.x, w3.x), vec4f(v.x), c))));
}

fn store(m: u32, n: u32, value: f32) {
  if (n >= p.columns) { return; }
  var v = value;
  if (p.has_bias != 0u) { v += bias[n]; }
  if (p.has_residual != 0u) { v += residual[m * p.columns + n]; }
  y[m * p.columns + n] = v;
}

fn store_row(m: u32, n: u32, v: vec4f, w: vec4f) {
  if (m >= p.rows) { return; }
  store(m, n, v.x);
  store(m, n + THREADS_N, v.y);
  store(m, n + 2u * THREADS_N, v.z);
  store(m, n + 3u * THREADS_N, v.w);
  if (COLUMNS > 4u) {
    store(m, n + 4u * THREADS_N, w.x);
    store(m, n + 5u * THREADS_N, w.y);
    store(m, n + 6u * THREADS_N, w.z);
    store(m, n + 7u * THREADS_N, w.w);
  }
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first_m = group.y * TILE_M;
  let first_n = group.x * TILE_N;
  fill_book(lane);

  // What this thread brings: PER_X vec4 of x, THREADS / CHUNK rows apart, and PER_W neighbouring vec4 of one weight
  // row. Past the edge it brings the last row again: what comes of it is not stored.
  let last_m = p.rows - 1u;
  let stride_m = THREADS / CHUNK;
  let load_m = first_m + lane / CHUNK;
  let width = p.depth / 4u;
  let x0_at = min(load_m, last_m) * width + lane % CHUNK;
  let x1_at = min(load_m + stride_m, last_m) * width + lane % CHUNK;
  let x2_at = min(load_m + 2u * stride_m, last_m) * width + lane % CHUNK;
  let x3_at = min(load_m + 3u * stride_m, last_m) * width + lane % CHUNK;
  let load_n = lane % TILE_N;
  let load_k = (lane / TILE_N) * PER_W;
  let w_at = load_n * STRIDE + load_k;
  let row_n = min(first_n + load_n, p.columns - 1u);
  var nx0 = vec4f(); var nx1 = vec4f(); var nx2 = vec4f(); var nx3 = vec4f();
  var word = vec2u();
  var scale = 0.0;
  var nw0 = vec2u(); var nw1 = vec2u(); var nw2 = vec2u(); var nw3 = vec2u();

  // A thread makes rows ty + THREADS_M·i and columns tx + THREADS_N·j: neighbours write neighbouring addresses.
  let slice = lane / GRID;
  let place = lane % GRID;
  let tx = place % THREADS_N;
  let ty = place / THREADS_N;
  var a0 = vec4f(); var a1 = vec4f(); var a2 = vec4f(); var a3 = vec4f();
  var a4 = vec4f(); var a5 = vec4f(); var a6 = vec4f(); var a7 = vec4f();
  var c0 = vec4f(); var c1 = vec4f(); var c2 = vec4f(); var c3 = vec4f();
  var c4 = vec4f(); var c5 = vec4f(); var c6 = vec4f(); var c7 = vec4f();

  let chunks = width / CHUNK;
  let all = chunks + (p.rank + 4u * CHUNK - 1u) / (4u * CHUNK);
  for (var chunk = 0u; chunk <= all; chunk++) {
    // The next chunk sets out …
    if (chunk < chunks) {
      let k = chunk * CHUNK;
      nx0 = x[x0_at + k];
      if (PER_X > 1u) { nx1 = x[x1_at + k]; }
      if (PER_X > 2u) { nx2 = x[x2_at + k]; nx3 = x[x3_at + k]; }
      let from_k = 4u * (k + load_k);
      if (STORED == 0u) {
        word = codes[((from_k / 32u) * p.columns + row_n) * 2u + (from_k / 16u) % 2u];
        if (PER_W < 4u) { word.x = select(word.x, word.y, (from_k / 8u) % 2u == 1u); }
        if (PER_W < 2u) { word.x = word.x >> (4u * (from_k % 8u)); }
        scale = scale_of((row_n * p.depth + from_k) / 64u);
      } else {
        let at = (row_n * p.depth + from_k) / 4u;
        nw0 = codes[at];
        if (PER_W > 1u) { nw1 = codes[at + 1u]; }
        if (PER_W > 2u) { nw2 = codes[at + 2u]; nw3 = codes[at + 3u]; }
      }
    }
    // … the one that lies in workgroup memory is used up …
    if (chunk > 0u) {
      for (var i = 0u; i < CHUNK / SLICES; i++) {
        let k = i * SLICES + slice;
        let xs = ty * CHUNK + k;
        let step = THREADS_M * CHUNK;
        let x0 = tile_x[xs]; let x1 = tile_x[xs + step]; let x2 = tile_x[xs + 2u * step]; let x3 = tile_x[xs + 3u * step];
        var x4 = vec4f(); var x5 = vec4f(); var x6 = vec4f(); var x7 = vec4f();
        if (ROWS > 4u) {
          x4 = tile_x[xs + 4u * step]; x5 = tile_x[xs + 5u * step]; x6 = tile_x[xs + 6u * step]; x7 = tile_x[xs + 7u * step];
        }
        let ws = tx * STRIDE + k;
        let next = THREADS_N * STRIDE;
        var w0 = tile_w[ws]; var w1 = tile_w[ws + next]; var w2 = tile_w[ws + 2u * next]; var w3 = tile_w[ws + 3u * next];
        a0 = mac(a0, x0, w0, w1, w2, w3); a1 = mac(a1, x1, w0, w1, w2, w3);
        a2 = mac(a2, x2, w0, w1, w2, w3); a3 = mac(a3, x3, w0, w1, w2, w3);
        if (ROWS > 4u) {
          a4 = mac(a4, x4, w0, w1, w2, w3); a5 = mac(a5, x5, w0, w1, w2, w3);
          a6 = mac(a6, x6, w0, w1, w2, w3); a7 = mac(a7, x7, w0, w1, w2, w3);
        }
        if (COLUMNS > 4u) {
          w0 = tile_w[ws + 4u * next]; w1 = tile_w[ws + 5u * next]; w2 = tile_w[ws + 6u * next]; w3 = tile_w[ws + 7u * next];
          c0 = mac(c0, x0, w0, w1, w2, w3); c1 = mac(c1, x1, w0, w1, w2, w3);
          c2 = mac(c2, x2, w0, w1, w2, w3); c3 = mac(c3, x3, w0, w1, w2, w3);
          if (ROWS > 4u) {
            c4 = mac(c4, x4, w0, w1, w2, w3); c5 = mac(c5, x5, w0, w1, w2, w3);
            c6 = mac(c6, x6, w0, w1, w2, w3); c7 = mac(c7, x7, w0, w1, w2, w3);
          }
        }
      }
    }
    workgroupBarrier();
    // … and the next takes its place.
    if (chunk < chunks) {
      tile_x[lane] = nx0;
      if (PER_X > 1u) { tile_x[lane + THREADS] = nx1; }
      if (PER_X > 2u) { tile_x[lane + 2u * THREADS] = nx2; tile_x[lane + 3u * THREADS] = nx3; }
      if (STORED == 0u) {
        tile_w[w_at] = decode4(word.x, scale);
        if (PER_W > 1u) { tile_w[w_at + 1u] = decode4(word.x >> 16u, scale); }
        if (PER_W > 2u) {
          tile_w[w_at + 2u] = decode4(word.y, scale);
          tile_w[w_at + 3u] = decode4(word.y >> 16u, scale);
        }
      } else {
        tile_w[w_at] = halves4(nw0);
        if (PER_W > 1u) { tile_w[w_at + 1u] = halves4(nw1); }
        if (PER_W > 2u) { tile_w[w_at + 2u] = halves4(nw2); tile_w[w_at + 3u] = halves4(nw3); }
      }
    } else if (chunk < all) {
      let r = (chunk - chunks) * 4u * CHUNK;
      for (var i = lane; i < TILE_M * CHUNK; i += THREADS) { tile_x[i] = lora_u(first_m + i / CHUNK, r + (i % CHUNK) * 4u); }
      for (var i = lane; i < TILE_N * CHUNK; i += THREADS) {
        tile_w[(i / CHUNK) * STRIDE + i % CHUNK] = lora_b(first_n + i / CHUNK, r + (i % CHUNK) * 4u);
      }
    }
    workgroupBarrier();
  }

  // The slices, one after the other, into the first.
  for (var s = 1u; s < SLICES; s++) {
    if (slice == s) {
      tile_w[place] = a0; tile_w[place + GRID] = a1; tile_w[place + 2u * GRID] = a2; tile_w[place + 3u * GRID] = a3;
      if (ROWS > 4u) {
        tile_w[place + 4u * GRID] = a4; tile_w[place + 5u * GRID] = a5;
        tile_w[place + 6u * GRID] = a6; tile_w[place + 7u * GRID] = a7;
      }
      if (COLUMNS > 4u) {
        tile_w[place + 8u * GRID] = c0; tile_w[place + 9u * GRID] = c1;
        tile_w[place + 10u * GRID] = c2; tile_w[place + 11u * GRID] = c3;
      }
      if (ROWS > 4u && COLUMNS > 4u) {
        tile_w[place + 12u * GRID] = c4; tile_w[place + 13u * GRID] = c5;
        tile_w[place + 14u * GRID] = c6; tile_w[place + 15u * GRID] = c7;
      }
    }
    workgroupBarrier();
    if (slice == 0u) {
      a0 += tile_w[place]; a1 += tile_w[place + GRID]; a2 += tile_w[place + 2u * GRID]; a3 += tile_w[place + 3u * GRID];
      if (ROWS > 4u) {
        a4 += tile_w[place + 4u * GRID]; a5 += tile_w[place + 5u * GRID];
        a6 += tile_w[place + 6u * GRID]; a7 += tile_w[place + 7u * GRID];
      }
      if (COLUMNS > 4u) {
        c0 += tile_w[place + 8u * GRID]; c1 += tile_w[place + 9u * GRID];
        c2 += tile_w[place + 10u * GRID]; c3 += tile_w[place + 11u * GRID];
      }
      if (ROWS > 4u && COLUMNS > 4u) {
        c4 += tile_w[place + 12u * GRID]; c5 += tile_w[place + 13u * GRID];
        c6 += tile_w[place + 14u * GRID]; c7 += tile_w[place + 15u * GRID];
      }
    }
    workgroupBarrier();
  }
  if (slice > 0u) { return; }
  let m = first_m + ty;
  let n = first_n + tx;
  store_row(m, n, a0, c0); store_row(m + THREADS_M, n, a1, c1);
  store_row(m + 2u * THREADS_M, n, a2, c2); store_row(m + 3u * THREADS_M, n, a3, c3);
  if (ROWS > 4u) {
    store_row(m + 4u * THREADS_M, n, a4, c4); store_row(m + 5u * THREADS_M, n, a5, c5);
    store_row(m + 6u * THREADS_M, n, a6, c6); store_row(m + 7u * THREADS_M, n, a7, c7);
  }
}

#include "linear/nf4_decode.wgsl"
