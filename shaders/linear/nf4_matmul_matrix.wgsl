// nf4_matmul on subgroup matrices: y[m, n] = Σk x[m, k]·w[n, k] + Σr u[m, r]·b[n, r] + bias[n] + residual[m, n]
// requires: N, SUBGROUPS_N, M, SUBGROUPS_M, SUBGROUP_SIZE, K from matrixHead
// requires: Right, load_right_by_columns, put_left, put_right, Sum from shared/subgroup_matrix_by_{flag,order}.wgsl
// requires: store_sum, load_left from shared/subgroup_matrix_by_{flag,order}.wgsl

#include "linear/forward_operands.wgsl"
@group(0) @binding(2) var<storage, read> codes: array<u32>;
@group(0) @binding(8) var<storage, read> row_scales: array<f32>;
@group(0) @binding(9) var<storage, read_write> y: array<f32>;

#include "shared/matrix_right_by_columns.wgsl"
#include "linear/matrix_main.wgsl"
#include "linear/nf4_decode.wgsl"
#include "shared/row_scale_inverse.wgsl"

// What a thread brings of a chunk beside its quads: words of eight codes.
const WORDS = TILE_N * 4u / THREADS;

fn inner_chunks() -> u32 { return p.in_features / CHUNK; }

// Past the edge, the last row or column again: what comes of it is not stored, and loads without a branch leave
// together.
struct Fetched {
  x: array<vec4f, QUADS>, words: array<u32, WORDS>, scales: array<f32, WORDS>, dense: array<vec4u, WORDS>,
}

fn fetch_weights(first_m: u32, first_n: u32, k: u32, lane: u32) -> Fetched {
  var f: Fetched;
  for (var j = 0u; j < QUADS; j++) {
    let i = lane + j * THREADS;
    let m = min(first_m + left_row(i), p.rows - 1u);
    f.x[j] = x[(m * p.in_features + k) / 4u + i % 8u];
  }
  for (var j = 0u; j < WORDS; j++) {
    let i = lane + j * THREADS;
    let n = min(first_n + scattered(i / 4u), p.out_features - 1u);
    if (STORED == 0u) {
      f.words[j] = codes[((k / 32u) * p.out_features + n) * 4u + i % 4u];
      f.scales[j] = scale_of((n * p.in_features + k) / 64u);
    } else {
      let at = (n * p.in_features + k) / 2u + (i % 4u) * 4u;
      f.dense[j] = vec4u(codes[at], codes[at + 1u], codes[at + 2u], codes[at + 3u]);
    }
  }
  return f;
}

fn put_weights(f: ptr<function, Fetched>, inverse: ptr<function, array<f32, QUADS>>, lane: u32) {
  for (var j = 0u; j < QUADS; j++) { put_quad(lane + j * THREADS, (*f).x[j] * (*inverse)[j]); }
  for (var j = 0u; j < WORDS; j++) {
    let i = lane + j * THREADS;
    let at = scattered(i / 4u) * STRIDE_RIGHT + (i % 4u) * 8u;
    if (STORED == 0u) {
      let word = (*f).words[j];
      let scale = (*f).scales[j];
      put_eight(i, at, decode4(word, scale), decode4(word >> 16u, scale));
    } else {
      let words = (*f).dense[j];
      put_eight(i, at, halves4(words.xy), halves4(words.zw));
    }
  }
}

fn put_lora(first_m: u32, first_n: u32, r: u32, inverse: ptr<function, array<f32, QUADS>>, lane: u32) {
  put_activations(first_m, r, inverse, lane);
  for (var i = lane; i < TILE_N * 8u; i += THREADS) {
    let n = first_n + i / 8u;
    let at = r + (i % 8u) * 4u;
    let value = vec4f(b_at(n, at), b_at(n, at + 1u), b_at(n, at + 2u), b_at(n, at + 3u));
    put_right((i / 8u) * STRIDE_RIGHT + (i % 8u) * 4u, vec4<f16>(value));
  }
}

fn finished(to: Target, rows: vec4u, columns: vec4u, sums: vec4f) -> vec4f {
  return with_bias_and_residual(rows, columns, sums * scales_of(rows));
}

fn store(to: Target, m: u32, n: u32, value: f32) { store_y(m, n, value); }
