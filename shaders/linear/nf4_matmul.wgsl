// y[m, n] = Σk x[m, k]·w[n, k] + Σr u[m, r]·b[n, r] + bias[n] + residual[m, n] in f32
//
// w is NF4: codes lie as 32 consecutive k of one row per 16 bytes, ordered [k/32][n], the first code in the lowest
// bits; the scale of element (n, k) is number (n·K + k)/64. A workgroup makes a tile of y over chunks of k: each
// weight is decoded once per tile, into workgroup memory, while the numbers of the next chunk are on their way from
// memory into registers. The LoRA product is simply more chunks, filled outside of the loop that does the work.

#include "linear/forward_operands.wgsl"
@group(0) @binding(2) var<storage, read> codes: array<vec2u>;
@group(0) @binding(8) var<storage, read_write> y: array<f32>;
#include "linear/tile_shape.wgsl"
#include "shared/mac_by_columns.wgsl"

override TILE_N = THREADS_N * COLUMNS;
// vec4 that a thread brings into the weights' tile: 1, 2 or 4.
override PER_W = TILE_N * CHUNK / THREADS;
// An odd number of vec4 between rows: lanes that read the same k of neighboring rows meet no bank conflict. Rows of
// x are read by all lanes at once.
override STRIDE = CHUNK + 1u;

var<workgroup> tile_w: array<vec4f, TILE_N * STRIDE>;

#include "linear/nf4_decode.wgsl"

fn lora_b(n: u32, r: u32) -> vec4f { return vec4f(b_at(n, r), b_at(n, r + 1u), b_at(n, r + 2u), b_at(n, r + 3u)); }

fn finished(m: u32, columns: vec4u, sums: vec4f) -> vec4f {
  return with_bias_and_residual(vec4u(m), columns, sums);
}

fn store(m: u32, n: u32, value: f32) { store_y(m, n, value); }

#include "shared/store_row_by_numbers.wgsl"

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first_m = group.y * TILE_M;
  let first_n = group.x * TILE_N;
  fill_codebook(lane);

  // What this thread brings: PER_LEFT vec4 of x, THREADS / CHUNK rows apart, and PER_W neighboring vec4 of one
  // weight row. Past the edge it brings the last row again: what comes of it is not stored.
  let last_m = p.rows - 1u;
  let stride_m = THREADS / CHUNK;
  let load_m = first_m + lane / CHUNK;
  let width = p.in_features / 4u;
  let x0_at = min(load_m, last_m) * width + lane % CHUNK;
  let x1_at = min(load_m + stride_m, last_m) * width + lane % CHUNK;
  let x2_at = min(load_m + 2u * stride_m, last_m) * width + lane % CHUNK;
  let x3_at = min(load_m + 3u * stride_m, last_m) * width + lane % CHUNK;
  let load_n = lane % TILE_N;
  let load_k = (lane / TILE_N) * PER_W;
  let put_at = load_n * STRIDE + load_k;
  let n = min(first_n + load_n, p.out_features - 1u);
  var next0 = vec4f(); var next1 = vec4f(); var next2 = vec4f(); var next3 = vec4f();
  var word = vec2u();
  var scale = 0.0;
  var dense0 = vec2u(); var dense1 = vec2u(); var dense2 = vec2u(); var dense3 = vec2u();

  // A thread makes rows ty + THREADS_M·i and columns tx + THREADS_N·j: neighbors write neighboring addresses.
  let slice = lane / GRID;
  let place = lane % GRID;
  let tx = place % THREADS_N;
  let ty = place / THREADS_N;
  #include "shared/tile_sums.wgsl"
  #include "shared/tile_sums_wide.wgsl"

  let chunks = width / CHUNK;
  let all = chunks + (p.rank + 4u * CHUNK - 1u) / (4u * CHUNK);
  var chunk = 0u;
  loop {
    loop {
      // The next chunk sets out …
      if (chunk < chunks) {
        let k = chunk * CHUNK;
        next0 = x[x0_at + k];
        if (PER_LEFT > 1u) { next1 = x[x1_at + k]; }
        if (PER_LEFT > 2u) { next2 = x[x2_at + k]; next3 = x[x3_at + k]; }
        let from_k = 4u * (k + load_k);
        #include "linear/tile_fetch_weights.wgsl"
      }
      // … the one that lies in workgroup memory is used up …
      if (chunk > 0u) {
        for (var i = 0u; i < CHUNK / SLICES; i++) {
          let k = i * SLICES + slice;
          let left_at = ty * CHUNK + k;
          let w_at = tx * STRIDE + k;
          let w_step = THREADS_N * STRIDE;
          let w_next = 4u * w_step;
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
    for (var i = lane; i < TILE_N * CHUNK; i += THREADS) {
      tile_w[(i / CHUNK) * STRIDE + i % CHUNK] = lora_b(first_n + i / CHUNK, r + (i % CHUNK) * 4u);
    }
    workgroupBarrier();
    chunk++;
  }

  #include "linear/tile_add_slices.wgsl"
  let row = first_m + ty;
  let column = first_n + tx;
  let wide = 8u * THREADS_N;
  #include "shared/tile_store.wgsl"
  #include "shared/tile_store_wide.wgsl"
}
