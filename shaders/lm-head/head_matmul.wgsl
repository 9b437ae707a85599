// logits[m, first + n] = Σk x[m, k]·table[n, k] for the rows `first`… of the output embedding that one buffer holds.
// The table stays 16-bit (or f32, where the checkpoint is f32) and is decoded once per tile. Built as nf4_matmul is:
// the numbers of the next chunk of k are on their way from memory into registers while one is multiplied. Workgroups
// whose tiles lie on the same rows of the table are neighbors, so that those come from memory once.

struct Params { rows: u32, count: u32, width: u32, first: u32, stride: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> table: array<vec4u>;
@group(0) @binding(3) var<storage, read_write> logits: array<f32>;

#include "lm-head/tile_shape.wgsl"
#include "shared/mac_by_columns.wgsl"

override TILE_N = THREADS_N * COLUMNS;
// vec4u of the table in a row of the chunk, and those that a thread brings: 1, 2 or 4.
override WORDS = 4u * CHUNK / PER_WORD;
override PER_W = TILE_N * WORDS / THREADS;

var<workgroup> tile_w: array<vec4f, TILE_N * CHUNK>;

// Where vec4 k of row n lies: turned by the row, so that eight lanes that read the same k of neighboring rows, or
// write neighboring k, meet no bank conflict. Turned, not xored: Tint knows the range of a remainder, and checks
// nothing. It does not look through calls.
fn place_w(n: u32, k: u32) -> u32 { return n * CHUNK + (k + n / 2u) % CHUNK; }

fn put(n: u32, word: u32, v: vec4u) {
  if (FORMAT == 2u) {
    tile_w[place_w(n, word)] = bitcast<vec4f>(v);
  } else {
    tile_w[place_w(n, 2u * word)] = vec4f(halves(v.x), halves(v.y));
    tile_w[place_w(n, 2u * word + 1u)] = vec4f(halves(v.z), halves(v.w));
  }
}

fn finished(m: u32, columns: vec4u, sums: vec4f) -> vec4f { return sums; }

fn store(m: u32, n: u32, value: f32) {
  if (n < p.count) { logits[m * p.stride + p.first + n] = value; }
}

#include "shared/store_row_by_numbers.wgsl"

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first_m = group.x * TILE_M;
  let first_n = group.y * TILE_N;

  // What this thread brings: PER_LEFT vec4 of x, THREADS / CHUNK rows apart, and PER_W vec4u of the table, THREADS /
  // WORDS rows apart. Past the edge it brings the last row again: what comes of it is not stored.
  let last_m = p.rows - 1u;
  let stride_m = THREADS / CHUNK;
  let load_m = first_m + lane / CHUNK;
  let width = p.width / 4u;
  let x0_at = min(load_m, last_m) * width + lane % CHUNK;
  let x1_at = min(load_m + stride_m, last_m) * width + lane % CHUNK;
  let x2_at = min(load_m + 2u * stride_m, last_m) * width + lane % CHUNK;
  let x3_at = min(load_m + 3u * stride_m, last_m) * width + lane % CHUNK;
  let last_n = p.count - 1u;
  let stride_n = THREADS / WORDS;
  let load_n = lane / WORDS;
  let word = lane % WORDS;
  let words = p.width / PER_WORD;
  let t0_at = min(first_n + load_n, last_n) * words + word;
  let t1_at = min(first_n + load_n + stride_n, last_n) * words + word;
  let t2_at = min(first_n + load_n + 2u * stride_n, last_n) * words + word;
  let t3_at = min(first_n + load_n + 3u * stride_n, last_n) * words + word;
  var next0 = vec4f(); var next1 = vec4f(); var next2 = vec4f(); var next3 = vec4f();
  var t0 = vec4u(); var t1 = vec4u(); var t2 = vec4u(); var t3 = vec4u();

  // A thread makes rows ty + THREADS_M·i and columns tx + THREADS_N·j: neighbors write neighboring addresses.
  let tx = lane % THREADS_N;
  let ty = lane / THREADS_N;
  #include "shared/tile_sums.wgsl"
  #include "shared/tile_sums_wide.wgsl"

  let chunks = width / CHUNK;
  for (var chunk = 0u; chunk <= chunks; chunk++) {
    // The next chunk sets out …
    if (chunk < chunks) {
      let k = chunk * CHUNK;
      next0 = x[x0_at + k]; next1 = x[x1_at + k];
      if (PER_LEFT > 2u) { next2 = x[x2_at + k]; next3 = x[x3_at + k]; }
      let w = chunk * WORDS;
      t0 = table[t0_at + w];
      if (PER_W > 1u) { t1 = table[t1_at + w]; }
      if (PER_W > 2u) { t2 = table[t2_at + w]; t3 = table[t3_at + w]; }
    }
    // … the one that lies in workgroup memory is used up …
    if (chunk > 0u) {
      for (var k = 0u; k < CHUNK; k++) {
        let left_at = ty * CHUNK + k;
        // As place_w; rows a multiple of eight apart are turned alike.
        let w_at = tx * CHUNK + (k + tx / 2u) % CHUNK;
        let w_step = THREADS_N * CHUNK;
        let w_next = 4u * w_step;
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

  let row = first_m + ty;
  let column = first_n + tx;
  let wide = 8u * THREADS_N;
  #include "shared/tile_store.wgsl"
  #include "shared/tile_store_wide.wgsl"
}

#include "shared/table_decode.wgsl"
