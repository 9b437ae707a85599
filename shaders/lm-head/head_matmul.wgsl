// logits[m, first + n] = Σk x[m, k]·table[n, k] for the rows `first`… of the output embedding that one buffer holds.
// The table stays 16-bit (or f32, where the checkpoint is f32) and is decoded once per tile. Built as nf4_matmul is:
// the numbers of the next chunk of k are on their way from memory into registers while one is multiplied. Workgroups
// whose tiles lie on the same rows of the table are neighbours, so that those come from memory once.

struct Params { rows: u32, columns: u32, depth: u32, first: u32, stride: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> table: array<vec4u>;
@group(0) @binding(3) var<storage, read_write> logits: array<f32>;

override THREADS_M: u32 = 8u;
override THREADS_N: u32 = 16u;  // a multiple of 8
override COLUMNS: u32 = 8u;     // 4 or 8; rows are 8 a thread

const CHUNK = 4u;  // vec4 of k

override THREADS = THREADS_M * THREADS_N;
override TILE_M = THREADS_M * 8u;
override TILE_N = THREADS_N * COLUMNS;
// vec4 of x that a thread brings: 2 or 4. Of the table, the vec4u in a row of the chunk and those that a thread brings:
// 1, 2 or 4.
override PER_X = TILE_M * CHUNK / THREADS;
override WORDS = 4u * CHUNK / PER_WORD;
override PER_W = TILE_N * WORDS / THREADS;

var<workgroup> tile_x: array<vec4f, TILE_M * CHUNK>;
var<workgroup> tile_w: array<vec4f, TILE_N * CHUNK>;

// Where vec4 k of row n lies: turned by the row, so that eight lanes that read the same k of neighbouring rows, or
// write neighbouring k, meet no bank conflict.
fn place_w(n: u32, k: u32) -> u32 { return n * CHUNK + (k ^ ((n / 2u) % CHUNK)); }

fn put(n: u32, word: u32, v: vec4u) {
  if (FORMAT == 2u) {
    tile_w[place_w(n, word)] = bitcast<vec4f>(v);
  } else {
    tile_w[place_w(n, 2u * word)] = vec4f(halves(v.x), halves(v.y));
    tile_w[place_w(n, 2u * word + 1u)] = vec4f(halves(v.z), halves(v.w));
  }
}

// c + the products of x's four k with four words: one fused multiply-add each, where a dot product and a sum take five.
fn mac(c: vec4f, v: vec4f, w0: vec4f, w1: vec4f, w2: vec4f, w3: vec4f) -> vec4f {
  return fma(vec4f(w0.w, w1.w, w2.w, w3.w), vec4f(v.w), fma(vec4f(w0.z, w1.z, w2.z, w3.z), vec4f(v.z),
    fma(vec4f(w0.y, w1.y, w2.y, w3.y), vec4f(v.y), fma(vec4f(w0.x, w1.x, w2.x, w3.x), vec4f(v.x), c))));
}

fn store(m: u32, n: u32, value: f32) {
  if (n < p.columns) { logits[m * p.stride + p.first + n] = value; }
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
  let first_m = group.x * TILE_M;
  let first_n = group.y * TILE_N;

  // What this thread brings: PER_X vec4 of x, THREADS / CHUNK rows apart, and PER_W vec4u of the table, THREADS / WORDS
  // rows apart. Past the edge it brings the last row again: what comes of it is not stored.
  let last_m = p.rows - 1u;
  let stride_m = THREADS / CHUNK;
  let load_m = first_m + lane / CHUNK;
  let width = p.depth / 4u;
  let x0_at = min(load_m, last_m) * width + lane % CHUNK;
  let x1_at = min(load_m + stride_m, last_m) * width + lane % CHUNK;
  let x2_at = min(load_m + 2u * stride_m, last_m) * width + lane % CHUNK;
  let x3_at = min(load_m + 3u * stride_m, last_m) * width + lane % CHUNK;
  let last_n = p.columns - 1u;
  let stride_n = THREADS / WORDS;
  let load_n = lane / WORDS;
  let word = lane % WORDS;
  let words = p.depth / PER_WORD;
  let t0_at = min(first_n + load_n, last_n) * words + word;
  let t1_at = min(first_n + load_n + stride_n, last_n) * words + word;
  let t2_at = min(first_n + load_n + 2u * stride_n, last_n) * words + word;
  let t3_at = min(first_n + load_n + 3u * stride_n, last_n) * words + word;
  var nx0 = vec4f(); var nx1 = vec4f(); var nx2 = vec4f(); var nx3 = vec4f();
  var t0 = vec4u(); var t1 = vec4u(); var t2 = vec4u(); var t3 = vec4u();

  // A thread makes rows ty + THREADS_M·i and columns tx + THREADS_N·j: neighbours write neighbouring addresses.
  let tx = lane % THREADS_N;
  let ty = lane / THREADS_N;
  var a0 = vec4f(); var a1 = vec4f(); var a2 = vec4f(); var a3 = vec4f();
  var a4 = vec4f(); var a5 = vec4f(); var a6 = vec4f(); var a7 = vec4f();
  var c0 = vec4f(); var c1 = vec4f(); var c2 = vec4f(); var c3 = vec4f();
  var c4 = vec4f(); var c5 = vec4f(); var c6 = vec4f(); var c7 = vec4f();

  let chunks = width / CHUNK;
  for (var chunk = 0u; chunk <= chunks; chunk++) {
    // The next chunk sets out …
    if (chunk < chunks) {
      let k = chunk * CHUNK;
      nx0 = x[x0_at + k]; nx1 = x[x1_at + k];
      if (PER_X > 2u) { nx2 = x[x2_at + k]; nx3 = x[x3_at + k]; }
      let w = chunk * WORDS;
      t0 = table[t0_at + w];
      if (PER_W > 1u) { t1 = table[t1_at + w]; }
      if (PER_W > 2u) { t2 = table[t2_at + w]; t3 = table[t3_at + w]; }
    }
    // … the one that lies in workgroup memory is used up …
    if (chunk > 0u) {
      for (var k = 0u; k < CHUNK; k++) {
        let xs = ty * CHUNK + k;
        let step = THREADS_M * CHUNK;
        let x0 = tile_x[xs]; let x1 = tile_x[xs + step]; let x2 = tile_x[xs + 2u * step]; let x3 = tile_x[xs + 3u * step];
        let x4 = tile_x[xs + 4u * step]; let x5 = tile_x[xs + 5u * step];
        let x6 = tile_x[xs + 6u * step]; let x7 = tile_x[xs + 7u * step];
        // Rows a multiple of eight apart are turned alike.
        let ws = place_w(tx, k);
        let next = THREADS_N * CHUNK;
        var w0 = tile_w[ws]; var w1 = tile_w[ws + next]; var w2 = tile_w[ws + 2u * next]; var w3 = tile_w[ws + 3u * next];
        a0 = mac(a0, x0, w0, w1, w2, w3); a1 = mac(a1, x1, w0, w1, w2, w3);
        a2 = mac(a2, x2, w0, w1, w2, w3); a3 = mac(a3, x3, w0, w1, w2, w3);
        a4 = mac(a4, x4, w0, w1, w2, w3); a5 = mac(a5, x5, w0, w1, w2, w3);
        a6 = mac(a6, x6, w0, w1, w2, w3); a7 = mac(a7, x7, w0, w1, w2, w3);
        if (COLUMNS > 4u) {
          w0 = tile_w[ws + 4u * next]; w1 = tile_w[ws + 5u * next]; w2 = tile_w[ws + 6u * next]; w3 = tile_w[ws + 7u * next];
          c0 = mac(c0, x0, w0, w1, w2, w3); c1 = mac(c1, x1, w0, w1, w2, w3);
          c2 = mac(c2, x2, w0, w1, w2, w3); c3 = mac(c3, x3, w0, w1, w2, w3);
          c4 = mac(c4, x4, w0, w1, w2, w3); c5 = mac(c5, x5, w0, w1, w2, w3);
          c6 = mac(c6, x6, w0, w1, w2, w3); c7 = mac(c7, x7, w0, w1, w2, w3);
        }
      }
    }
    workgroupBarrier();
    // … and the next takes its place.
    if (chunk < chunks) {
      tile_x[lane] = nx0; tile_x[lane + THREADS] = nx1;
      if (PER_X > 2u) { tile_x[lane + 2u * THREADS] = nx2; tile_x[lane + 3u * THREADS] = nx3; }
      put(load_n, word, t0);
      if (PER_W > 1u) { put(load_n + stride_n, word, t1); }
      if (PER_W > 2u) { put(load_n + 2u * stride_n, word, t2); put(load_n + 3u * stride_n, word, t3); }
    }
    workgroupBarrier();
  }

  let m = first_m + ty;
  let n = first_n + tx;
  store_row(m, n, a0, c0); store_row(m + THREADS_M, n, a1, c1);
  store_row(m + 2u * THREADS_M, n, a2, c2); store_row(m + 3u * THREADS_M, n, a3, c3);
  store_row(m + 4u * THREADS_M, n, a4, c4); store_row(m + 5u * THREADS_M, n, a5, c5);
  store_row(m + 6u * THREADS_M, n, a6, c6); store_row(m + 7u * THREADS_M, n, a7, c7);
}

#include "shared/table_decode.wgsl"
