// dx[m, k] (+)= Σn dy[m, n]·w[n, k] + Σr v[m, r]·a[r, k]: the gradient of nf4_matmul with respect to its input.
//
// The same weight layout as nf4_matmul, read along n, and the same way of working: chunks of n, each weight decoded
// once per tile while the next chunk is on its way, slices that share a chunk's n. LoRA is more chunks.

struct Params {
  rows: u32, columns: u32, depth: u32, rank: u32,
  accumulate: u32,
  absmax_at: u32, map_at: u32, nested_shift: u32, offset: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> dy: array<vec4f>;
@group(0) @binding(2) var<storage, read> codes: array<vec2u>;
@group(0) @binding(3) var<storage, read> scales: array<u32>;
@group(0) @binding(4) var<storage, read> v: array<f32>;
@group(0) @binding(5) var<storage, read> a: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> dx: array<vec4f>;

override THREADS_M: u32 = 8u;
override THREADS_N: u32 = 16u;  // along k, the columns of dx
override SLICES: u32 = 1u;
override ROWS: u32 = 8u;        // 4 or 8
override COLUMNS: u32 = 8u;     // 4 or 8
override CHUNK: u32 = 4u;       // vec4 of n: 2, 4 or 8

override GRID = THREADS_M * THREADS_N;
override THREADS = GRID * SLICES;
override TILE_M = THREADS_M * ROWS;
override WIDTH = THREADS_N * COLUMNS / 4u;  // of the tile, in vec4 of k
// vec4 that a thread brings into each tile: 1, 2 or 4.
override PER_Y = TILE_M * CHUNK / THREADS;
override PER_W = 4u * CHUNK * WIDTH / THREADS;
// An odd number of vec4 between rows: lanes that write the same k of neighbouring rows meet no bank conflict.
override STRIDE = WIDTH + 1u;

var<workgroup> tile_y: array<vec4f, TILE_M * CHUNK>;
var<workgroup> tile_w: array<vec4f, 4u * CHUNK * STRIDE>;

fn v_at(m: u32, r: u32) -> f32 {
  if (m < p.rows && r < p.rank) { return v[m * p.rank + r]; }
  return 0.0;
}

fn lora_v(m: u32, r: u32) -> vec4f { return vec4f(v_at(m, r), v_at(m, r + 1u), v_at(m, r + 2u), v_at(m, r + 3u)); }

fn lora_a(r: u32, k: u32) -> vec4f {
  if (r < p.rank && k < p.depth / 4u) { return a[r * (p.depth / 4u) + k]; }
  return vec4f();
}

// c + four n of dy with their rows of w: one fused multiply-add each, where matrix times vector and a sum take five.
fn mac(c: vec4f, d: vec4f, w0: vec4f, w1: vec4f, w2: vec4f, w3: vec4f) -> vec4f {
  return fma(w3, vec4f(d.w), fma(w2, vec4f(d.z), fma(w1, vec4f(d.y), fma(w0, vec4f(d.x), c))));
}

fn store(at: u32, value: vec4f) {
  if (p.accumulate != 0u) { dx[at] += value; } else { dx[at] = value; }
}

fn store_row(m: u32, k: u32, low: vec4f, high: vec4f) {
  if (m >= p.rows) { return; }
  let width = p.depth / 4u;
  if (k < width) { store(m * width + k, low); }
  if (COLUMNS > 4u && k + THREADS_N < width) { store(m * width + k + THREADS_N, high); }
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first_m = group.y * TILE_M;
  let first_k = group.x * WIDTH;
  fill_book(lane);

  // What this thread brings: PER_Y vec4 of dy, THREADS / CHUNK rows apart, and PER_W neighbouring vec4 of one weight
  // row. Past the edges of dx it brings the last row or column again: what comes of it is not stored.
  let last_m = p.rows - 1u;
  let stride_m = THREADS / CHUNK;
  let load_m = first_m + lane / CHUNK;
  let width = p.columns / 4u;
  let y0_at = min(load_m, last_m) * width;
  let y1_at = min(load_m + stride_m, last_m) * width;
  let y2_at = min(load_m + 2u * stride_m, last_m) * width;
  let y3_at = min(load_m + 3u * stride_m, last_m) * width;
  let load_n = lane % (4u * CHUNK);
  let load_k = (lane / (4u * CHUNK)) * PER_W;
  let w_at = load_n * STRIDE + load_k;
  let from_k = min(4u * (first_k + load_k), p.depth - 4u * PER_W);
  var ny0 = vec4f(); var ny1 = vec4f(); var ny2 = vec4f(); var ny3 = vec4f();
  var word = vec2u();
  var scale = 0.0;
  var nw0 = vec2u(); var nw1 = vec2u(); var nw2 = vec2u(); var nw3 = vec2u();

  // A thread makes rows ty + THREADS_M·i and the vec4 columns tx and tx + THREADS_N.
  let slice = lane / GRID;
  let place = lane % GRID;
  let tx = place % THREADS_N;
  let ty = place / THREADS_N;
  var a0 = vec4f(); var a1 = vec4f(); var a2 = vec4f(); var a3 = vec4f();
  var a4 = vec4f(); var a5 = vec4f(); var a6 = vec4f(); var a7 = vec4f();
  var c0 = vec4f(); var c1 = vec4f(); var c2 = vec4f(); var c3 = vec4f();
  var c4 = vec4f(); var c5 = vec4f(); var c6 = vec4f(); var c7 = vec4f();

  let chunks = (width + CHUNK - 1u) / CHUNK;
  let all = chunks + (p.rank + 4u * CHUNK - 1u) / (4u * CHUNK);
  for (var chunk = 0u; chunk <= all; chunk++) {
    // The next chunk sets out …
    if (chunk < chunks) {
      let n4 = chunk * CHUNK + lane % CHUNK;
      // Past the last n, zeros.
      let y_at = min(n4, width - 1u);
      ny0 = select(vec4f(), dy[y0_at + y_at], n4 < width);
      if (PER_Y > 1u) { ny1 = select(vec4f(), dy[y1_at + y_at], n4 < width); }
      if (PER_Y > 2u) {
        ny2 = select(vec4f(), dy[y2_at + y_at], n4 < width);
        ny3 = select(vec4f(), dy[y3_at + y_at], n4 < width);
      }
      let n = min(4u * chunk * CHUNK + load_n, p.columns - 1u);
      if (STORED == 0u) {
        word = codes[((from_k / 32u) * p.columns + n) * 2u + (from_k / 16u) % 2u];
        if (PER_W < 4u) { word.x = select(word.x, word.y, (from_k / 8u) % 2u == 1u); }
        if (PER_W < 2u) { word.x = word.x >> (4u * (from_k % 8u)); }
        scale = scale_of((n * p.depth + from_k) / 64u);
      } else {
        let at = (n * p.depth + from_k) / 4u;
        nw0 = codes[at];
        if (PER_W > 1u) { nw1 = codes[at + 1u]; }
        if (PER_W > 2u) { nw2 = codes[at + 2u]; nw3 = codes[at + 3u]; }
      }
    }
    // … the one that lies in workgroup memory is used up …
    if (chunk > 0u) {
      for (var i = 0u; i < CHUNK / SLICES; i++) {
        let n4 = i * SLICES + slice;
        let ys = ty * CHUNK + n4;
        let step = THREADS_M * CHUNK;
        let y0 = tile_y[ys]; let y1 = tile_y[ys + step]; let y2 = tile_y[ys + 2u * step]; let y3 = tile_y[ys + 3u * step];
        var y4 = vec4f(); var y5 = vec4f(); var y6 = vec4f(); var y7 = vec4f();
        if (ROWS > 4u) {
          y4 = tile_y[ys + 4u * step]; y5 = tile_y[ys + 5u * step]; y6 = tile_y[ys + 6u * step]; y7 = tile_y[ys + 7u * step];
        }
        let ws = 4u * n4 * STRIDE + tx;
        var w0 = tile_w[ws]; var w1 = tile_w[ws + STRIDE]; var w2 = tile_w[ws + 2u * STRIDE]; var w3 = tile_w[ws + 3u * STRIDE];
        a0 = mac(a0, y0, w0, w1, w2, w3); a1 = mac(a1, y1, w0, w1, w2, w3);
        a2 = mac(a2, y2, w0, w1, w2, w3); a3 = mac(a3, y3, w0, w1, w2, w3);
        if (ROWS > 4u) {
          a4 = mac(a4, y4, w0, w1, w2, w3); a5 = mac(a5, y5, w0, w1, w2, w3);
          a6 = mac(a6, y6, w0, w1, w2, w3); a7 = mac(a7, y7, w0, w1, w2, w3);
        }
        if (COLUMNS > 4u) {
          let wt = ws + THREADS_N;
          w0 = tile_w[wt]; w1 = tile_w[wt + STRIDE]; w2 = tile_w[wt + 2u * STRIDE]; w3 = tile_w[wt + 3u * STRIDE];
          c0 = mac(c0, y0, w0, w1, w2, w3); c1 = mac(c1, y1, w0, w1, w2, w3);
          c2 = mac(c2, y2, w0, w1, w2, w3); c3 = mac(c3, y3, w0, w1, w2, w3);
          if (ROWS > 4u) {
            c4 = mac(c4, y4, w0, w1, w2, w3); c5 = mac(c5, y5, w0, w1, w2, w3);
            c6 = mac(c6, y6, w0, w1, w2, w3); c7 = mac(c7, y7, w0, w1, w2, w3);
          }
        }
      }
    }
    workgroupBarrier();
    // … and the next takes its place.
    if (chunk < chunks) {
      tile_y[lane] = ny0;
      if (PER_Y > 1u) { tile_y[lane + THREADS] = ny1; }
      if (PER_Y > 2u) { tile_y[lane + 2u * THREADS] = ny2; tile_y[lane + 3u * THREADS] = ny3; }
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
      for (var i = lane; i < TILE_M * CHUNK; i += THREADS) { tile_y[i] = lora_v(first_m + i / CHUNK, r + (i % CHUNK) * 4u); }
      for (var i = lane; i < 4u * CHUNK * WIDTH; i += THREADS) {
        tile_w[(i / WIDTH) * STRIDE + i % WIDTH] = lora_a(r + i / WIDTH, first_k + i % WIDTH);
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
  let k = first_k + tx;
  store_row(m, k, a0, c0); store_row(m + THREADS_M, k, a1, c1);
  store_row(m + 2u * THREADS_M, k, a2, c2); store_row(m + 3u * THREADS_M, k, a3, c3);
  if (ROWS > 4u) {
    store_row(m + 4u * THREADS_M, k, a4, c4); store_row(m + 5u * THREADS_M, k, a5, c5);
    store_row(m + 6u * THREADS_M, k, a6, c6); store_row(m + 7u * THREADS_M, k, a7, c7);
  }
}

#include "linear/nf4_decode.wgsl"
