// nf4_matmul with operands in f16: y[m, n] = Σk x[m, k]·w[n, k] + Σr u[m, r]·b[n, r] + bias[n] + residual[m, n]

enable f16;

#include "linear/forward_operands.wgsl"
@group(0) @binding(2) var<storage, read> codes: array<u32>;
@group(0) @binding(8) var<storage, read> row_scales: array<f32>;
@group(0) @binding(9) var<storage, read_write> y: array<f32>;

const STRIDE_W = 32u;

#include "linear/f16_main.wgsl"
#include "linear/nf4_decode.wgsl"
#include "shared/row_scale_inverse.wgsl"

fn inner_chunks() -> u32 { return p.in_features / CHUNK; }

// What a thread brings of the next chunk: four rows × four k of x, four columns × eight k of w. Past the edge it
// brings the last row or column again: what comes of it is not stored, and loads without a branch leave together.
struct Fetched { x: mat4x4f, words: vec4u, scales: vec4f, dense: array<vec4u, 4> }

fn fetch_weights(m: u32, first_n: u32, k: u32, lane: u32) -> Fetched {
  var f: Fetched;
  let n = first_n + (lane % 32u) * 4u;
  let at_k = k + (lane % 8u) * 4u;
  let rows = min(m + vec4u(0u, 1u, 2u, 3u), vec4u(p.rows - 1u));
  let columns = min(n + vec4u(0u, 1u, 2u, 3u), vec4u(p.out_features - 1u));
  for (var i = 0u; i < 4u; i++) {
    f.x[i] = x[(rows[i] * p.in_features + at_k) / 4u];
    if (STORED == 0u) {
      f.words[i] = codes[((k / 32u) * p.out_features + columns[i]) * 4u + lane / 32u];
      f.scales[i] = scale_of((columns[i] * p.in_features + k) / 64u);
    } else {
      let at = (columns[i] * p.in_features + k) / 2u + (lane / 32u) * 4u;
      f.dense[i] = vec4u(codes[at], codes[at + 1u], codes[at + 2u], codes[at + 3u]);
    }
  }
  return f;
}

fn put_weights(f: Fetched, inverse: vec4f, lane: u32) {
  put_left(inverse, f.x, lane);
  let to = (lane / 32u) * 8u * STRIDE_W + lane % 32u;
  if (STORED != 0u) {
    for (var j = 0u; j < 4u; j++) {
      let w = transpose(mat4x2f(
        halves(f.dense[0][j]), halves(f.dense[1][j]), halves(f.dense[2][j]), halves(f.dense[3][j])));
      tile_w[to + 2u * j * STRIDE_W] = vec4<f16>(w[0]);
      tile_w[to + (2u * j + 1u) * STRIDE_W] = vec4<f16>(w[1]);
    }
    return;
  }
  for (var j = 0u; j < 8u; j++) {
    let code = (f.words >> vec4u(4u * j)) & vec4u(15u);
    let w = vec4f(codebook[code.x], codebook[code.y], codebook[code.z], codebook[code.w]) * f.scales;
    tile_w[to + j * STRIDE_W] = vec4<f16>(w);
  }
}

fn put_lora(inverse: vec4f, m: u32, first_n: u32, r: u32, lane: u32) {
  put_activations(inverse, m, r, lane);
  let n = first_n + (lane % 32u) * 4u;
  for (var j = 0u; j < 8u; j++) {
    let k = (lane / 32u) * 8u + j;
    tile_w[k * STRIDE_W + lane % 32u] = vec4<f16>(vec4f(
      b_at(n, r + k), b_at(n + 1u, r + k), b_at(n + 2u, r + k), b_at(n + 3u, r + k)));
  }
}

fn store_row(m: u32, n: u32, sums: vec4f, further_sums: vec4f) {
  let columns = n + vec4u(0u, 1u, 2u, 3u);
  let further = columns + APART;
  let low = with_bias_and_residual(vec4u(m), columns, sums);
  let high = with_bias_and_residual(vec4u(m), further, further_sums);
  for (var j = 0u; j < 4u; j++) { store_y(m, columns[j], low[j]); }
  for (var j = 0u; j < 4u; j++) { store_y(m, further[j], high[j]); }
}
