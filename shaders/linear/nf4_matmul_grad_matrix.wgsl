// nf4_matmul_grad on subgroup matrices: dx[m, k] (+)= Σn dy[m, n]·w[n, k] + Σr v[m, r]·a[r, k]. The columns of its
// tile are k, and what it sums over is n.
// requires: N, SUBGROUPS_N, M, SUBGROUPS_M, SUBGROUP_SIZE, K from matrixHead
// requires: Right, load_right_by_rows, put_left, put_right, Sum from shared/subgroup_matrix_by_{flag,order}.wgsl
// requires: store_sum, load_left from shared/subgroup_matrix_by_{flag,order}.wgsl

#include "linear/grad_operands.wgsl"
@group(0) @binding(2) var<storage, read> codes: array<u32>;
@group(0) @binding(5) var<storage, read> a: array<f32>;
@group(0) @binding(6) var<storage, read> row_scales: array<f32>;
@group(0) @binding(7) var<storage, read_write> dx: array<f32>;

#include "shared/matrix_right_by_rows.wgsl"
#include "linear/matrix_main.wgsl"
#include "linear/nf4_decode.wgsl"
#include "shared/row_scale_inverse.wgsl"

// What a thread brings of a chunk beside its quads: words of eight codes.
const WORDS = CHUNK * TILE_N / 8u / THREADS;

fn inner_chunks() -> u32 { return (p.out_features + CHUNK - 1u) / CHUNK; }

// Past the edges of dx, the last row or column again: what comes of it is not stored, and loads without a branch
// leave together. Past the last n, zeros of dy meet the last row of w.
struct Fetched {
  y: array<vec4f, QUADS>, words: array<u32, WORDS>, scales: array<f32, WORDS>, dense: array<vec4u, WORDS>,
}

fn fetch_weights(first_m: u32, first_k: u32, first_n: u32, lane: u32) -> Fetched {
  var f: Fetched;
  for (var j = 0u; j < QUADS; j++) {
    let i = lane + j * THREADS;
    let m = min(first_m + left_row(i), p.rows - 1u);
    let n = first_n + (i % 8u) * 4u;
    let quad = dy[(m * p.out_features + min(n, p.out_features - 4u)) / 4u];
    f.y[j] = select(vec4f(), quad, n < p.out_features);
  }
  for (var j = 0u; j < WORDS; j++) {
    let i = lane + j * THREADS;
    let n = min(first_n + scattered((i / 4u) % CHUNK), p.out_features - 1u);
    let k = min(first_k + (i / 128u) * 32u, p.in_features - 32u);
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
  for (var j = 0u; j < QUADS; j++) { put_quad(lane + j * THREADS, (*f).y[j] * (*inverse)[j]); }
  for (var j = 0u; j < WORDS; j++) {
    let i = lane + j * THREADS;
    let at = scattered((i / 4u) % CHUNK) * STRIDE_RIGHT + (i / 128u) * 32u + (i % 4u) * 8u;
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

// a[r, k … k + 3]
fn a_at(r: u32, k: u32) -> vec4f {
  if (r >= p.rank || k >= p.in_features) { return vec4f(); }
  let i = r * p.in_features + k;
  return vec4f(a[i], a[i + 1u], a[i + 2u], a[i + 3u]);
}

fn put_lora(first_m: u32, first_k: u32, r: u32, inverse: ptr<function, array<f32, QUADS>>, lane: u32) {
  put_activations(first_m, r, inverse, lane);
  for (var i = lane; i < CHUNK * TILE_N / 4u; i += THREADS) {
    let row = i / (TILE_N / 4u);
    let k = (i % (TILE_N / 4u)) * 4u;
    put_right(row * STRIDE_RIGHT + k, vec4<f16>(a_at(r + row, first_k + k)));
  }
}

fn finished(to: Target, rows: vec4u, columns: vec4u, sums: vec4f) -> vec4f {
  var v = sums * scales_of(rows);
  if (p.accumulate != 0u) {
    let at = min(rows, vec4u(p.rows - 1u)) * p.in_features + min(columns, vec4u(p.in_features - 1u));
    v += vec4f(dx[at.x], dx[at.y], dx[at.z], dx[at.w]);
  }
  return v;
}

fn store(to: Target, m: u32, k: u32, value: f32) {
  if (m < p.rows && k < p.in_features) { dx[m * p.in_features + k] = value; }
}
