// The products in f16: what nf4_matmul_f16 and its gradient do with their tiles.
//
// The left tile has rows of x or dy, divided by row_scale's powers of two on their way into f16; what is stored is
// multiplied by them again. A workgroup of 128 threads makes a tile of 64 rows × 128 columns, 8 × 8 a thread, over
// chunks of 32 of the inner dimension, which lies outermost in both tiles, so that a thread reads four rows or four
// columns at once; the next chunk is fetched from memory while this one is multiplied. Sums are f32, or, with
// HALF_SUMS, sixteen products are added in f16 first.
// requires: STRIDE_W, activation4, fill_codebook, inverse_scale, inner_chunks, p.rank, fetch_weights, put_weights
// requires: put_lora, scales_of, store_row

// For GPUs that multiply and add f16 at twice the rate of f32.
override HALF_SUMS: bool = false;

const TILE_M = 64u;
const TILE_N = 128u;
const CHUNK = 32u;
// Columns between a thread's first four and its last.
const APART = 64u;
const STRIDE_LEFT = 17u;  // vec4 between lines of the left tile, 16 in use

var<workgroup> tile_left: array<vec4<f16>, CHUNK * STRIDE_LEFT>;
var<workgroup> tile_w: array<vec4<f16>, CHUNK * STRIDE_W>;

// Puts four numbers of each of four rows in their place.
fn put_left(inverse: vec4f, rows: mat4x4f, lane: u32) {
  let columns = transpose(rows);
  for (var j = 0u; j < 4u; j++) {
    tile_left[((lane % 8u) * 4u + j) * STRIDE_LEFT + lane / 8u] = vec4<f16>(columns[j] * inverse);
  }
}

// Puts four ranks of the LoRA module's activations of each of four rows in their place.
fn put_activations(inverse: vec4f, m: u32, r: u32, lane: u32) {
  var rows: mat4x4f;
  let at = r + (lane % 8u) * 4u;
  for (var i = 0u; i < 4u; i++) { rows[i] = activation4(m + i, at); }
  put_left(inverse, rows, lane);
}

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  fill_codebook(lane);
  let first_m = group.y * TILE_M;
  let first_n = group.x * TILE_N;
  // The first of the four rows that this thread brings.
  let m = first_m + (lane / 8u) * 4u;
  var inverse = vec4f();
  for (var i = 0u; i < 4u; i++) { inverse[i] = inverse_scale(m + i); }
  // It computes rows 4ty… and 32 + 4ty…, columns 4tx… and APART + 4tx….
  let tx = lane % 16u;
  let ty = lane / 16u;
  #include "shared/tile_sums.wgsl"

  let chunks = inner_chunks();
  let all = chunks + (p.rank + CHUNK - 1u) / CHUNK;
  var next = fetch_weights(m, first_n, 0u, lane);
  for (var chunk = 0u; chunk < all; chunk++) {
    workgroupBarrier();
    if (chunk < chunks) { put_weights(next, inverse, lane); }
    else { put_lora(inverse, m, first_n, (chunk - chunks) * CHUNK, lane); }
    workgroupBarrier();
    if (chunk + 1u < chunks) { next = fetch_weights(m, first_n, (chunk + 1u) * CHUNK, lane); }
    if (!HALF_SUMS) {
      for (var k = 0u; k < CHUNK; k++) {
        let l0 = vec4f(tile_left[k * STRIDE_LEFT + ty]);
        let l1 = vec4f(tile_left[k * STRIDE_LEFT + 8u + ty]);
        let w0 = vec4f(tile_w[k * STRIDE_W + tx]);
        let w1 = vec4f(tile_w[k * STRIDE_W + 16u + tx]);
        a0 = fma(vec4f(l0.x), w0, a0); a1 = fma(vec4f(l0.y), w0, a1);
        a2 = fma(vec4f(l0.z), w0, a2); a3 = fma(vec4f(l0.w), w0, a3);
        a4 = fma(vec4f(l1.x), w0, a4); a5 = fma(vec4f(l1.y), w0, a5);
        a6 = fma(vec4f(l1.z), w0, a6); a7 = fma(vec4f(l1.w), w0, a7);
        c0 = fma(vec4f(l0.x), w1, c0); c1 = fma(vec4f(l0.y), w1, c1);
        c2 = fma(vec4f(l0.z), w1, c2); c3 = fma(vec4f(l0.w), w1, c3);
        c4 = fma(vec4f(l1.x), w1, c4); c5 = fma(vec4f(l1.y), w1, c5);
        c6 = fma(vec4f(l1.z), w1, c6); c7 = fma(vec4f(l1.w), w1, c7);
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
        let l0 = tile_left[k * STRIDE_LEFT + ty];
        let l1 = tile_left[k * STRIDE_LEFT + 8u + ty];
        let w0 = tile_w[k * STRIDE_W + tx];
        let w1 = tile_w[k * STRIDE_W + 16u + tx];
        h0 = fma(vec4<f16>(l0.x), w0, h0); h1 = fma(vec4<f16>(l0.y), w0, h1);
        h2 = fma(vec4<f16>(l0.z), w0, h2); h3 = fma(vec4<f16>(l0.w), w0, h3);
        h4 = fma(vec4<f16>(l1.x), w0, h4); h5 = fma(vec4<f16>(l1.y), w0, h5);
        h6 = fma(vec4<f16>(l1.z), w0, h6); h7 = fma(vec4<f16>(l1.w), w0, h7);
        g0 = fma(vec4<f16>(l0.x), w1, g0); g1 = fma(vec4<f16>(l0.y), w1, g1);
        g2 = fma(vec4<f16>(l0.z), w1, g2); g3 = fma(vec4<f16>(l0.w), w1, g3);
        g4 = fma(vec4<f16>(l1.x), w1, g4); g5 = fma(vec4<f16>(l1.y), w1, g5);
        g6 = fma(vec4<f16>(l1.z), w1, g6); g7 = fma(vec4<f16>(l1.w), w1, g7);
      }
      a0 += vec4f(h0); a1 += vec4f(h1); a2 += vec4f(h2); a3 += vec4f(h3);
      a4 += vec4f(h4); a5 += vec4f(h5); a6 += vec4f(h6); a7 += vec4f(h7);
      c0 += vec4f(g0); c1 += vec4f(g1); c2 += vec4f(g2); c3 += vec4f(g3);
      c4 += vec4f(g4); c5 += vec4f(g5); c6 += vec4f(g6); c7 += vec4f(g7);
    }
  }
  let mo = first_m + ty * 4u;
  let no = first_n + tx * 4u;
  // Read before anything is written: beside each store, they would wait one by one.
  let low = scales_of(mo + vec4u(0u, 1u, 2u, 3u));
  let high = scales_of(mo + 32u + vec4u(0u, 1u, 2u, 3u));
  store_row(mo, no, a0 * low.x, c0 * low.x);
  store_row(mo + 1u, no, a1 * low.y, c1 * low.y);
  store_row(mo + 2u, no, a2 * low.z, c2 * low.z);
  store_row(mo + 3u, no, a3 * low.w, c3 * low.w);
  store_row(mo + 32u, no, a4 * high.x, c4 * high.x);
  store_row(mo + 33u, no, a5 * high.y, c5 * high.y);
  store_row(mo + 34u, no, a6 * high.z, c6 * high.z);
  store_row(mo + 35u, no, a7 * high.w, c7 * high.w);
}
