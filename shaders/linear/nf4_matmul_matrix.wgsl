// nf4_matmul on subgroup matrices: y[m, n] = Σk x[m, k]·w[n, k] + Σr u[m, r]·b[n, r] + bias[n] + residual[m, n]
//
// Operands are f16, rows of x and u divided by row_scale's powers of two; all sums are f32. Each subgroup makes 2 × 4
// matrices of M × N; SUBGROUPS_M × SUBGROUPS_N of them share the tiles of a workgroup, over chunks of 32 k. Before
// this text stand `enable` lines, the shape of the matrices (M, N, K), SUBGROUP_SIZE, SUBGROUPS_M, SUBGROUPS_N, and one of the
// subgroup_matrix_by_* files; beside it matrix_left, nf4_decode and row_scale_inverse.

struct Params {
  rows: u32, columns: u32, depth: u32, rank: u32,
  has_bias: u32, has_residual: u32,
  absmax_at: u32, map_at: u32, nested_shift: u32, offset: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> codes: array<u32>;
@group(0) @binding(3) var<storage, read> scales: array<u32>;
@group(0) @binding(4) var<storage, read> u: array<f32>;
@group(0) @binding(5) var<storage, read> b: array<f32>;
@group(0) @binding(6) var<storage, read> bias: array<f32>;
@group(0) @binding(7) var<storage, read> residual: array<f32>;
@group(0) @binding(8) var<storage, read> row_scales: array<f32>;
@group(0) @binding(9) var<storage, read_write> y: array<f32>;

const DEPTH = 32u;
const TILE_N = 4u * u32(N) * SUBGROUPS_N;
// Halves between rows of a tile, 32 in use; 80 bytes keep sixteen rows off each other's banks.
const STRIDE_RIGHT = 40u;
const RIGHT = TILE_N * STRIDE_RIGHT;
// What a thread brings of a chunk beside its quads: words of eight codes.
const WORDS = TILE_N * 4u / THREADS;

var<workgroup> sums: array<f32, u32(M) * u32(N) * SUBGROUPS_M * SUBGROUPS_N>;

struct Fetched {
  x: array<vec4f, QUADS>, words: array<u32, WORDS>, scales: array<f32, WORDS>, dense: array<vec4u, WORDS>,
}

fn fetch_weights(first_m: u32, first_n: u32, k: u32, lane: u32) -> Fetched {
  var f: Fetched;
  for (var j = 0u; j < QUADS; j++) {
    let i = lane + j * THREADS;
    let m = first_m + left_row(i);
    if (m < p.rows) { f.x[j] = x[(m * p.depth + k) / 4u + i % 8u]; }
  }
  for (var j = 0u; j < WORDS; j++) {
    let i = lane + j * THREADS;
    let n = first_n + scattered(i / 4u);
    if (n < p.columns) {
      if (STORED == 0u) {
        f.words[j] = codes[((k / 32u) * p.columns + n) * 4u + i % 4u];
        f.scales[j] = scale_of((n * p.depth + k) / 64u);
      } else {
        let at = (n * p.depth + k) / 2u + (i % 4u) * 4u;
        f.dense[j] = vec4u(codes[at], codes[at + 1u], codes[at + 2u], codes[at + 3u]);
      }
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

fn u_at(m: u32, r: u32) -> f32 {
  if (m < p.rows && r < p.rank) { return u[m * p.rank + r]; }
  return 0.0;
}

fn b_at(n: u32, r: u32) -> f32 {
  if (n < p.columns && r < p.rank) { return b[n * p.rank + r]; }
  return 0.0;
}

fn put_lora(first_m: u32, first_n: u32, r: u32, inverse: ptr<function, array<f32, QUADS>>, lane: u32) {
  for (var j = 0u; j < QUADS; j++) {
    let i = lane + j * THREADS;
    let m = first_m + left_row(i);
    let at = r + (i % 8u) * 4u;
    put_quad(i, vec4f(u_at(m, at), u_at(m, at + 1u), u_at(m, at + 2u), u_at(m, at + 3u)) * (*inverse)[j]);
  }
  for (var i = lane; i < TILE_N * 8u; i += THREADS) {
    let n = first_n + i / 8u;
    let at = r + (i % 8u) * 4u;
    let value = vec4f(b_at(n, at), b_at(n, at + 1u), b_at(n, at + 2u), b_at(n, at + 3u));
    put_right((i / 8u) * STRIDE_RIGHT + (i % 8u) * 4u, vec4<f16>(value));
  }
}

// Writes one matrix of sums whose first element is y[m, n].
fn drain(sum: Sum, m: u32, n: u32, subgroup: u32, lane: u32) {
  let begin = subgroup * u32(M * N);
  workgroupBarrier();
  store_sum(begin, sum);
  workgroupBarrier();
  for (var i = lane; i < u32(M * N); i += SUBGROUP_SIZE) {
    let row = m + i / u32(N);
    let column = n + i % u32(N);
    if (row < p.rows && column < p.columns) {
      var v = sums[begin + i] * row_scales[row];
      if (p.has_bias != 0u) { v += bias[column]; }
      if (p.has_residual != 0u) { v += residual[row * p.columns + column]; }
      y[row * p.columns + column] = v;
    }
  }
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_id) subgroup: u32,
  @builtin(subgroup_invocation_id) in_subgroup: u32,
) {
  fill_book(lane);
  let first_m = group.y * TILE_M;
  let first_n = group.x * TILE_N;
  var inverse: array<f32, QUADS>;
  for (var j = 0u; j < QUADS; j++) { inverse[j] = inverse_scale(first_m + left_row(lane + j * THREADS)); }
  let sub_m = (subgroup / SUBGROUPS_N) * 2u * u32(M);
  let sub_n = (subgroup % SUBGROUPS_N) * 4u * u32(N);
  var s00 = Sum(); var s01 = Sum(); var s02 = Sum(); var s03 = Sum();
  var s10 = Sum(); var s11 = Sum(); var s12 = Sum(); var s13 = Sum();
  let chunks = p.depth / DEPTH;
  let all = chunks + (p.rank + DEPTH - 1u) / DEPTH;
  var next = fetch_weights(first_m, first_n, 0u, lane);
  for (var chunk = 0u; chunk < all; chunk++) {
    workgroupBarrier();
    if (chunk < chunks) { put_weights(&next, &inverse, lane); }
    else { put_lora(first_m, first_n, (chunk - chunks) * DEPTH, &inverse, lane); }
    workgroupBarrier();
    if (chunk + 1u < chunks) { next = fetch_weights(first_m, first_n, (chunk + 1u) * DEPTH, lane); }
    for (var k = 0u; k < DEPTH; k += u32(K)) {
      let l0 = load_left(sub_m * STRIDE_LEFT + k);
      let l1 = load_left((sub_m + u32(M)) * STRIDE_LEFT + k);
      let r0 = load_right_by_columns(sub_n * STRIDE_RIGHT + k);
      let r1 = load_right_by_columns((sub_n + u32(N)) * STRIDE_RIGHT + k);
      let r2 = load_right_by_columns((sub_n + 2u * u32(N)) * STRIDE_RIGHT + k);
      let r3 = load_right_by_columns((sub_n + 3u * u32(N)) * STRIDE_RIGHT + k);
      s00 = subgroupMatrixMultiplyAccumulate(l0, r0, s00);
      s01 = subgroupMatrixMultiplyAccumulate(l0, r1, s01);
      s02 = subgroupMatrixMultiplyAccumulate(l0, r2, s02);
      s03 = subgroupMatrixMultiplyAccumulate(l0, r3, s03);
      s10 = subgroupMatrixMultiplyAccumulate(l1, r0, s10);
      s11 = subgroupMatrixMultiplyAccumulate(l1, r1, s11);
      s12 = subgroupMatrixMultiplyAccumulate(l1, r2, s12);
      s13 = subgroupMatrixMultiplyAccumulate(l1, r3, s13);
    }
  }
  let m = first_m + sub_m;
  let n = first_n + sub_n;
  drain(s00, m, n, subgroup, in_subgroup);
  drain(s01, m, n + u32(N), subgroup, in_subgroup);
  drain(s02, m, n + 2u * u32(N), subgroup, in_subgroup);
  drain(s03, m, n + 3u * u32(N), subgroup, in_subgroup);
  drain(s10, m + u32(M), n, subgroup, in_subgroup);
  drain(s11, m + u32(M), n + u32(N), subgroup, in_subgroup);
  drain(s12, m + u32(M), n + 2u * u32(N), subgroup, in_subgroup);
  drain(s13, m + u32(M), n + 3u * u32(N), subgroup, in_subgroup);
}

#include "shared/matrix_left.wgsl"
#include "linear/nf4_decode.wgsl"
#include "shared/row_scale_inverse.wgsl"
