// nf4_matmul_grad with operands in f16: dx[m, k] (+)= Σn dy[m, n]·w[n, k] + Σr v[m, r]·a[r, k]

enable f16;

#include "linear/grad_operands.wgsl"
@group(0) @binding(2) var<storage, read> codes: array<vec4u>;
@group(0) @binding(5) var<storage, read> a: array<vec4f>;
@group(0) @binding(6) var<storage, read> row_scales: array<f32>;
@group(0) @binding(7) var<storage, read_write> dx: array<vec4f>;

const STRIDE_W = 33u;  // vec4 between n of the weights' tile, 32 in use

#include "linear/f16_main.wgsl"
#include "linear/nf4_decode.wgsl"
#include "shared/row_scale_inverse.wgsl"

fn inner_chunks() -> u32 { return (p.out_features + CHUNK - 1u) / CHUNK; }

// What a thread brings of the next chunk: four rows × four n of dy, 32 k of one n of w. Past the edges of dx it
// brings the last row or column again: what comes of it is not stored, and loads without a branch leave together.
// Past the last n, zeros of dy meet the last row of w.
struct Fetched { y: mat4x4f, words: vec4u, scale: f32, dense: array<vec4u, 4> }

fn fetch_weights(m: u32, first_k: u32, first_n: u32, lane: u32) -> Fetched {
  var f: Fetched;
  let at_n = first_n + (lane % 8u) * 4u;
  let rows = min(m + vec4u(0u, 1u, 2u, 3u), vec4u(p.rows - 1u));
  for (var i = 0u; i < 4u; i++) {
    let quad = dy[(rows[i] * p.out_features + min(at_n, p.out_features - 4u)) / 4u];
    f.y[i] = select(vec4f(), quad, at_n < p.out_features);
  }
  let n = min(first_n + lane % 32u, p.out_features - 1u);
  let k = min(first_k + (lane / 32u) * 32u, p.in_features - 32u);
  if (STORED == 0u) {
    f.words = codes[(k / 32u) * p.out_features + n];
    f.scale = scale_of((n * p.in_features + k) / 64u);
  } else {
    let at = (n * p.in_features + k) / 8u;
    f.dense = array<vec4u, 4>(codes[at], codes[at + 1u], codes[at + 2u], codes[at + 3u]);
  }
  return f;
}

fn put_weights(f: Fetched, inverse: vec4f, lane: u32) {
  put_left(inverse, f.y, lane);
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

fn put_lora(inverse: vec4f, m: u32, first_k: u32, first_r: u32, lane: u32) {
  put_activations(inverse, m, first_r, lane);
  let k = first_k + (lane % 32u) * 4u;
  for (var j = lane / 32u; j < CHUNK; j += 4u) {
    let r = first_r + j;
    var value = vec4f();
    if (r < p.rank && k < p.in_features) { value = a[(r * p.in_features + k) / 4u]; }
    tile_w[j * STRIDE_W + lane % 32u] = vec4<f16>(value);
  }
}

fn store_row(m: u32, k: u32, sums: vec4f, further_sums: vec4f) {
  if (m >= p.rows) { return; }
  let at = m * p.in_features / 4u;
  let last = p.in_features / 4u - 1u;
  let column = k / 4u;
  let further = column + APART / 4u;
  var low = sums;
  var high = further_sums;
  if (p.accumulate != 0u) {
    low += dx[at + min(column, last)];
    high += dx[at + min(further, last)];
  }
  if (column <= last) { dx[at + column] = low; }
  if (further <= last) { dx[at + further] = high; }
}
