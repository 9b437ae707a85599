// partial[slice, m, k] = Σn dlogits[m, first + n]·table[n, k] over the slice's share of the table's rows. The
// vocabulary is the long axis here and the output is small, so it is cut into slices that sum_slices adds up in a
// fixed order. Built as nf4_matmul_grad is: the next chunk of n is on its way while one is multiplied.

struct Params { rows: u32, count: u32, width: u32, first: u32, stride: u32, first_slice: u32, slice_count: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> dlogits: array<f32>;
// The same buffer, for where four neighbors lie in one vec4.
@group(0) @binding(2) var<storage, read> quads: array<vec4f>;
@group(0) @binding(3) var<storage, read> table: array<vec4u>;
@group(0) @binding(4) var<storage, read_write> partial: array<vec4f>;

// True where `first` and `stride` are multiples of four.
override ALIGNED: bool = false;

#include "lm-head/tile_shape.wgsl"
#include "shared/mac_by_rows.wgsl"

override WIDTH = THREADS_N * COLUMNS / 4u;  // of the tile, in vec4 of k
// vec4u of the table in a row of the tile, and those that a thread brings: 1, 2 or 4.
override WORDS = 4u * WIDTH / PER_WORD;
override PER_W = 4u * CHUNK * WORDS / THREADS;

var<workgroup> tile_w: array<vec4f, 4u * CHUNK * WIDTH>;

fn dlogit(at: u32, n: u32, end: u32) -> f32 {
  if (n < end) { return dlogits[at + n]; }
  return 0.0;
}

// Four neighboring dlogits of the row that begins at `at`; zeros from the slice's end on.
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

fn store_row(m: u32, k: u32, slice: u32, low: vec4f, high: vec4f) {
  if (m >= p.rows) { return; }
  let width = p.width / 4u;
  let at = (slice * p.rows + m) * width;
  if (k < width) { partial[at + k] = low; }
  if (COLUMNS > 4u && k + THREADS_N < width) { partial[at + k + THREADS_N] = high; }
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first_m = group.y * TILE_M;
  let first_k = group.x * WIDTH;
  let begin = group.z * p.slice_count;
  let end = min(begin + p.slice_count, p.count);

  // What this thread brings: PER_LEFT vec4 of dlogits, THREADS / CHUNK rows apart, and PER_W vec4u of the table,
  // THREADS / WORDS rows apart. Past the edges of the output it brings the last row or column again: what comes of it
  // is not stored. Past the slice's end, dlogits are zeros.
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
  let words = p.width / PER_WORD;
  let word_at = min(4u * first_k / PER_WORD + word, words - 1u);
  let last_n = end - 1u;
  var next0 = vec4f(); var next1 = vec4f(); var next2 = vec4f(); var next3 = vec4f();
  var t0 = vec4u(); var t1 = vec4u(); var t2 = vec4u(); var t3 = vec4u();

  // A thread makes rows ty + THREADS_M·i and the vec4 columns tx and tx + THREADS_N.
  let tx = lane % THREADS_N;
  let ty = lane / THREADS_N;
  #include "shared/tile_sums.wgsl"
  #include "shared/tile_sums_wide.wgsl"

  let chunks = (end - begin + 4u * CHUNK - 1u) / (4u * CHUNK);
  for (var chunk = 0u; chunk <= chunks; chunk++) {
    // The next chunk sets out …
    if (chunk < chunks) {
      let first_n = begin + chunk * 4u * CHUNK;
      let n = first_n + load_y;
      next0 = dlogits4(y0_at, n, end); next1 = dlogits4(y1_at, n, end);
      if (PER_LEFT > 2u) { next2 = dlogits4(y2_at, n, end); next3 = dlogits4(y3_at, n, end); }
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
        let left_at = ty * CHUNK + n;
        let w_at = 4u * n * WIDTH + tx;
        let w_step = WIDTH;
        let w_next = THREADS_N;
        #include "shared/tile_multiply.wgsl"
        #include "shared/tile_multiply_wide.wgsl"
      }
    }
    workgroupBarrier();
    // … and the next takes its place.
    if (chunk < chunks) {
      #include "shared/tile_put_left.wgsl"
      #include "lm-head/tile_put_table.wgsl"
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
  if (COLUMNS > 8u) {
    let wide = k + 2u * THREADS_N;
    store_row(m, wide, s, d0, e0); store_row(m + THREADS_M, wide, s, d1, e1);
    store_row(m + 2u * THREADS_M, wide, s, d2, e2); store_row(m + 3u * THREADS_M, wide, s, d3, e3);
    store_row(m + 4u * THREADS_M, wide, s, d4, e4); store_row(m + 5u * THREADS_M, wide, s, d5, e5);
    store_row(m + 6u * THREADS_M, wide, s, d6, e6); store_row(m + 7u * THREADS_M, wide, s, d7, e7);
  }
}

#include "shared/table_decode.wgsl"
