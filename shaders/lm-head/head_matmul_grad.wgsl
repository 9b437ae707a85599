// partial[slice, m, k] = Σn dlogits[m, first + n]·table[n, k] over the slice's share of the table's rows. The
// vocabulary is the long axis here and the output is small, so it is cut into slices that sum_slices adds up in a
// fixed order. Built as nf4_matmul_grad is: the next chunk of n is on its way while one is multiplied.

struct Params { rows: u32, columns: u32, depth: u32, first: u32, stride: u32, first_slice: u32, slice_columns: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> dlogits: array<f32>;
// The same buffer, for where four neighbours lie in one vec4.
@group(0) @binding(2) var<storage, read> quads: array<vec4f>;
@group(0) @binding(3) var<storage, read> table: array<vec4u>;
@group(0) @binding(4) var<storage, read_write> partial: array<vec4f>;

override THREADS_M: u32 = 8u;
override THREADS_N: u32 = 16u;  // along k, the columns of the output
override COLUMNS: u32 = 8u;     // 4 or 8; rows are 8 a thread
// True where `first` and `stride` are multiples of four.
override ALIGNED: bool = false;

const CHUNK = 4u;  // vec4 of n

override THREADS = THREADS_M * THREADS_N;
override TILE_M = THREADS_M * 8u;
override WIDTH = THREADS_N * COLUMNS / 4u;  // of the tile, in vec4 of k
// vec4 of dlogits that a thread brings: 2 or 4. Of the table, the vec4u in a row of the tile and those that a thread
// brings: 1, 2 or 4.
override PER_Y = TILE_M * CHUNK / THREADS;
override WORDS = 4u * WIDTH / PER_WORD;
override PER_W = 4u * CHUNK * WORDS / THREADS;

var<workgroup> tile_y: array<vec4f, TILE_M * CHUNK>;
var<workgroup> tile_w: array<vec4f, 4u * CHUNK * WIDTH>;

fn dlogit(at: u32, n: u32, end: u32) -> f32 {
  if (n < end) { return dlogits[at + n]; }
  return 0.0;
}

// Four neighbouring dlogits of the row that begins at `at`; zeros from the slice's end on.
fn dlogits4(at: u32, n: u32, end: u32) -> vec4f {
  if (ALIGNED && n + 4u <= end) { return quads[(at + n) / 4u]; }
  return vec4f(dlogit(at, n, end), dlogit(at, n + 1u, end), dlogit(at, n + 2u, end), dlogit(at, n + 3u, end));
}

fn put(row: u32, word: u32, v: vec4u) {
  let at = row * WIDTH + word * PER_WORD / 4u;
  if (FORMAT == 2u) {
    tile_w[at] = bitcast<vec4f>(v);
  } else {
    tile_w[at] = vec4f(halves(v.x), halves(v.y));
    tile_w[at + 1u] = vec4f(halves(v.z), halves(v.w));
  }
}

// c + the products of four dlogits with four rows of the table: one fused multiply-add each.
fn mac(c: vec4f, d: vec4f, w0: vec4f, w1: vec4f, w2: vec4f, w3: vec4f) -> vec4f {
  return fma(w3, vec4f(d.w), fma(w2, vec4f(d.z), fma(w1, vec4f(d.y), fma(w0, vec4f(d.x), c))));
}

fn store_row(m: u32, k: u32, slice: u32, low: vec4f, high: vec4f) {
  if (m >= p.rows) { return; }
  let width = p.depth / 4u;
  let at = (slice * p.rows + m) * width;
  if (k < width) { partial[at + k] = low; }
  if (COLUMNS > 4u && k + THREADS_N < width) { partial[at + k + THREADS_N] = high; }
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first_m = group.y * TILE_M;
  let first_k = group.x * WIDTH;
  let begin = group.z * p.slice_columns;
  let end = min(begin + p.slice_columns, p.columns);

  // What this thread brings: PER_Y vec4 of dlogits, THREADS / CHUNK rows apart, and PER_W vec4u of the table, THREADS /
  // WORDS rows apart. Past the edges of the output it brings the last row or column again: what comes of it is not
  // stored. Past the slice's end, dlogits are zeros.
  let last_m = p.rows - 1u;
  let stride_m = THREADS / CHUNK;
  let load_m = first_m + lane / CHUNK;
  let y0_at = min(load_m, last_m) * p.stride + p.first;
  let y1_at = min(load_m + stride_m, last_m) * p.stride + p.first;
  let y2_at = min(load_m + 2u * stride_m, last_m) * p.stride + p.first;
  let y3_at = min(load_m + 3u * stride_m, last_m) * p.stride + p.first;
  let load_y = 4u * (lane % CHUNK);
  let stride_n = THREADS / WORDS;
  let load_n = lane / WORDS;
  let word = lane % WORDS;
  let words = p.depth / PER_WORD;
  let word_at = min(4u * first_k / PER_WORD + word, words - 1u);
  let last_n = end - 1u;
  var ny0 = vec4f(); var ny1 = vec4f(); var ny2 = vec4f(); var ny3 = vec4f();
  var t0 = vec4u(); var t1 = vec4u(); var t2 = vec4u(); var t3 = vec4u();

  // A thread makes rows ty + THREADS_M·i and the vec4 columns tx and tx + THREADS_N.
  let tx = lane % THREADS_N;
  let ty = lane / THREADS_N;
  var a0 = vec4f(); var a1 = vec4f(); var a2 = vec4f(); var a3 = vec4f();
  var a4 = vec4f(); var a5 = vec4f(); var a6 = vec4f(); var a7 = vec4f();
  var c0 = vec4f(); var c1 = vec4f(); var c2 = vec4f(); var c3 = vec4f();
  var c4 = vec4f(); var c5 = vec4f(); var c6 = vec4f(); var c7 = vec4f();

  let chunks = (end - begin + 4u * CHUNK - 1u) / (4u * CHUNK);
  for (var chunk = 0u; chunk <= chunks; chunk++) {
    // The next chunk sets out …
    if (chunk < chunks) {
      let first_n = begin + chunk * 4u * CHUNK;
      let n = first_n + load_y;
      ny0 = dlogits4(y0_at, n, end); ny1 = dlogits4(y1_at, n, end);
      if (PER_Y > 2u) { ny2 = dlogits4(y2_at, n, end); ny3 = dlogits4(y3_at, n, end); }
      let row = first_n + load_n;
      t0 = table[min(row, last_n) * words + word_at];
      if (PER_W > 1u) { t1 = table[min(row + stride_n, last_n) * words + word_at]; }
      if (PER_W > 2u) {
        t2 = table[min(row + 2u * stride_n, last_n) * words + word_at];
        t3 = table[min(row + 3u * stride_n, last_n) * words + word_at];
      }
    }
    // … the one that lies in workgroup memory is used up …
    if (chunk > 0u) {
      for (var n = 0u; n < CHUNK; n++) {
        let ys = ty * CHUNK + n;
        let step = THREADS_M * CHUNK;
        let y0 = tile_y[ys]; let y1 = tile_y[ys + step]; let y2 = tile_y[ys + 2u * step]; let y3 = tile_y[ys + 3u * step];
        let y4 = tile_y[ys + 4u * step]; let y5 = tile_y[ys + 5u * step];
        let y6 = tile_y[ys + 6u * step]; let y7 = tile_y[ys + 7u * step];
        let ws = 4u * n * WIDTH + tx;
        var w0 = tile_w[ws]; var w1 = tile_w[ws + WIDTH]; var w2 = tile_w[ws + 2u * WIDTH]; var w3 = tile_w[ws + 3u * WIDTH];
        a0 = mac(a0, y0, w0, w1, w2, w3); a1 = mac(a1, y1, w0, w1, w2, w3);
        a2 = mac(a2, y2, w0, w1, w2, w3); a3 = mac(a3, y3, w0, w1, w2, w3);
        a4 = mac(a4, y4, w0, w1, w2, w3); a5 = mac(a5, y5, w0, w1, w2, w3);
        a6 = mac(a6, y6, w0, w1, w2, w3); a7 = mac(a7, y7, w0, w1, w2, w3);
        if (COLUMNS > 4u) {
          let wt = ws + THREADS_N;
          w0 = tile_w[wt]; w1 = tile_w[wt + WIDTH]; w2 = tile_w[wt + 2u * WIDTH]; w3 = tile_w[wt + 3u * WIDTH];
          c0 = mac(c0, y0, w0, w1, w2, w3); c1 = mac(c1, y1, w0, w1, w2, w3);
          c2 = mac(c2, y2, w0, w1, w2, w3); c3 = mac(c3, y3, w0, w1, w2, w3);
          c4 = mac(c4, y4, w0, w1, w2, w3); c5 = mac(c5, y5, w0, w1, w2, w3);
          c6 = mac(c6, y6, w0, w1, w2, w3); c7 = mac(c7, y7, w0, w1, w2, w3);
        }
      }
    }
    workgroupBarrier();
    // … and the next takes its place.
    if (chunk < chunks) {
      tile_y[lane] = ny0; tile_y[lane + THREADS] = ny1;
      if (PER_Y > 2u) { tile_y[lane + 2u * THREADS] = ny2; tile_y[lane + 3u * THREADS] = ny3; }
      put(load_n, word, t0);
      if (PER_W > 1u) { put(load_n + stride_n, word, t1); }
      if (PER_W > 2u) { put(load_n + 2u * stride_n, word, t2); put(load_n + 3u * stride_n, word, t3); }
    }
    workgroupBarrier();
  }

  let m = first_m + ty;
  let k = first_k + tx;
  let s = p.first_slice + group.z;
  store_row(m, k, s, a0, c0); store_row(m + THREADS_M, k, s, a1, c1);
  store_row(m + 2u * THREADS_M, k, s, a2, c2); store_row(m + 3u * THREADS_M, k, s, a3, c3);
  store_row(m + 4u * THREADS_M, k, s, a4, c4); store_row(m + 5u * THREADS_M, k, s, a5, c5);
  store_row(m + 6u * THREADS_M, k, s, a6, c6); store_row(m + 7u * THREADS_M, k, s, a7, c7);
}

#include "shared/table_decode.wgsl"
