// dx[m, k] (+)= Σn dy[m, n]·w[n, k] + Σr v[m, r]·a[r, k] in f32: the gradient of nf4_matmul with respect to its
// input.
//
// The same weight layout as nf4_matmul, read along n, and the same way of working: chunks of n, each weight decoded
// once per tile while the next chunk is on its way, slices that share a chunk's n. LoRA is more chunks.

#include "linear/grad_operands.wgsl"
@group(0) @binding(2) var<storage, read> codes: array<vec2u>;
@group(0) @binding(5) var<storage, read> a: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> dx: array<vec4f>;
#include "linear/tile_shape.wgsl"
#include "shared/mac_by_rows.wgsl"

override WIDTH = THREADS_N * COLUMNS / 4u;  // of the tile, in vec4 of k
// vec4 that a thread brings into the weights' tile: 1, 2 or 4.
override PER_W = 4u * CHUNK * WIDTH / THREADS;
// An odd number of vec4 between rows: lanes that write the same k of neighboring rows meet no bank conflict.
override STRIDE = WIDTH + 1u;

var<workgroup> tile_w: array<vec4f, 4u * CHUNK * STRIDE>;

#include "linear/nf4_decode.wgsl"

fn lora_a(r: u32, k: u32) -> vec4f {
  if (r < p.rank && k < p.in_features / 4u) { return a[r * (p.in_features / 4u) + k]; }
  return vec4f();
}

// Writes a row of a thread's sums: one or two vec4, THREADS_N apart. What they are added to is read first, from the
// nearest places in range, so that both loads wait together.
fn store_row(m: u32, k: u32, sum: vec4f, next: vec4f) {
  if (m >= p.rows) { return; }
  let width = p.in_features / 4u;
  let at = m * width;
  var low = sum;
  var high = next;
  if (p.accumulate != 0u) {
    low += dx[at + min(k, width - 1u)];
    if (COLUMNS > 4u) { high += dx[at + min(k + THREADS_N, width - 1u)]; }
  }
  if (k < width) { dx[at + k] = low; }
  if (COLUMNS > 4u && k + THREADS_N < width) { dx[at + k + THREADS_N] = high; }
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first_m = group.y * TILE_M;
  let first_k = group.x * WIDTH;
  fill_codebook(lane);

  // What this thread brings: PER_LEFT vec4 of dy, THREADS / CHUNK rows apart, and PER_W neighboring vec4 of one
  // weight row. Past the edges of dx it brings the last row or column again: what comes of it is not stored.
  let last_m = p.rows - 1u;
  let stride_m = THREADS / CHUNK;
  let load_m = first_m + lane / CHUNK;
  let width = p.out_features / 4u;
  let y0_at = min(load_m, last_m) * width;
  let y1_at = min(load_m + stride_m, last_m) * width;
  let y2_at = min(load_m + 2u * stride_m, last_m) * width;
  let y3_at = min(load_m + 3u * stride_m, last_m) * width;
  let load_n = lane % (4u * CHUNK);
  let load_k = (lane / (4u * CHUNK)) * PER_W;
  let put_at = load_n * STRIDE + load_k;
  let from_k = min(4u * (first_k + load_k), p.in_features - 4u * PER_W);
  var next0 = vec4f(); var next1 = vec4f(); var next2 = vec4f(); var next3 = vec4f();
  var word = vec2u();
  var scale = 0.0;
  var dense0 = vec2u(); var dense1 = vec2u(); var dense2 = vec2u(); var dense3 = vec2u();

  // A thread makes rows ty + THREADS_M·i and the vec4 columns tx and tx + THREADS_N.
  let slice = lane / GRID;
  let place = lane % GRID;
  let tx = place % THREADS_N;
  let ty = place / THREADS_N;
  #include "shared/tile_sums.wgsl"
  #include "shared/tile_sums_wide.wgsl"

  let chunks = (width + CHUNK - 1u) / CHUNK;
  let all = chunks + (p.rank + 4u * CHUNK - 1u) / (4u * CHUNK);
  var chunk = 0u;
  loop {
    loop {
      // The next chunk sets out …
      if (chunk < chunks) {
        let n4 = chunk * CHUNK + lane % CHUNK;
        // Past the last n, zeros.
        let y_at = min(n4, width - 1u);
        next0 = select(vec4f(), dy[y0_at + y_at], n4 < width);
        if (PER_LEFT > 1u) { next1 = select(vec4f(), dy[y1_at + y_at], n4 < width); }
        if (PER_LEFT > 2u) {
          next2 = select(vec4f(), dy[y2_at + y_at], n4 < width);
          next3 = select(vec4f(), dy[y3_at + y_at], n4 < width);
        }
        let n = min(4u * chunk * CHUNK + load_n, p.out_features - 1u);
        #include "linear/tile_fetch_weights.wgsl"
      }
      // … the one that lies in workgroup memory is used up …
      if (chunk > 0u) {
        for (var i = 0u; i < CHUNK / SLICES; i++) {
          let n4 = i * SLICES + slice;
          let left_at = ty * CHUNK + n4;
          let w_at = 4u * n4 * STRIDE + tx;
          let w_step = STRIDE;
          let w_next = THREADS_N;
          #include "shared/tile_multiply.wgsl"
          #include "shared/tile_multiply_wide.wgsl"
        }
      }
      workgroupBarrier();
      if (chunk >= chunks) { break; }
      // … and the next takes its place.
      #include "shared/tile_put_left.wgsl"
      #include "linear/tile_put_weights.wgsl"
      workgroupBarrier();
      chunk++;
    }
    if (chunk >= all) { break; }
    let r = (chunk - chunks) * 4u * CHUNK;
    for (var i = lane; i < TILE_M * CHUNK; i += THREADS) {
      tile_left[i] = activation4(first_m + i / CHUNK, r + (i % CHUNK) * 4u);
    }
    for (var i = lane; i < 4u * CHUNK * WIDTH; i += THREADS) {
      tile_w[(i / WIDTH) * STRIDE + i % WIDTH] = lora_a(r + i / WIDTH, first_k + i % WIDTH);
    }
    workgroupBarrier();
    chunk++;
  }

  #include "linear/tile_add_slices.wgsl"
  let row = first_m + ty;
  let column = first_k + tx;
  let wide = 2u * THREADS_N;
  #include "shared/tile_store.wgsl"
  #include "shared/tile_store_wide.wgsl"
}
