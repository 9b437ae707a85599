// nf4_matmul_grad on subgroup matrices: dx[m, k] (+)= Σn dy[m, n]·w[n, k] + Σr v[m, r]·a[r, k]
//
// Built as nf4_matmul_matrix is, with the weight read along n: chunks of 32 n, the right matrices by rows.
// Before and beside this text stands what stands with nf4_matmul_matrix.

struct Params {
  rows: u32, columns: u32, depth: u32, rank: u32,
  accumulate: u32,
  absmax_at: u32, map_at: u32, nested_shift: u32, offset: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> dy: array<vec4f>;
@group(0) @binding(2) var<storage, read> codes: array<u32>;
@group(0) @binding(3) var<storage, read> scales: array<u32>;
@group(0) @binding(4) var<storage, read> v: array<f32>;
@group(0) @binding(5) var<storage, read> a: array<f32>;
@group(0) @binding(6) var<storage, read> row_scales: array<f32>;
@group(0) @binding(7) var<storage, read_write> dx: array<f32>;

const CHUNK = 32u;
const TILE_K = 4u * u32(N) * SUBGROUPS_N;
// Halves between rows of a tile; the last 8 are there to keep rows off each other's banks.
const STRIDE_RIGHT = TILE_K + 8u;
const RIGHT = CHUNK * STRIDE_RIGHT;
// What a thread brings of a chunk beside its quads: words of eight codes.
const WORDS = CHUNK * TILE_K / 8u / THREADS;

var<workgroup> sums: array<f32, u32(M) * u32(N) * SUBGROUPS_M * SUBGROUPS_N>;

struct Fetched {
  y: array<vec4f, QUADS>, words: array<u32, WORDS>, scales: array<f32, WORDS>, dense: array<vec4u, WORDS>,
}

fn fetch_weights(first_m: u32, first_k: u32, first_n: u32, lane: u32) -> Fetched {
  var f: Fetched;
  for (var j = 0u; j < QUADS; j++) {
    let i = lane + j * THREADS;
    let m = first_m + left_row(i);
    let n = first_n + (i % 8u) * 4u;
    if (m < p.rows && n < p.columns) { f.y[j] = dy[(m * p.columns + n) / 4u]; }
  }
  for (var j = 0u; j < WORDS; j++) {
    let i = lane + j * THREADS;
    let n = first_n + scattered((i / 4u) % CHUNK);
    let k = first_k + (i / 128u) * 32u;
    if (n < p.columns && k < p.depth) {
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

fn v_at(m: u32, r: u32) -> f32 {
  if (m < p.rows && r < p.rank) { return v[m * p.rank + r]; }
  return 0.0;
}

// a[r, k … k + 3]
fn a_at(r: u32, k: u32) -> vec4f {
  if (r >= p.rank || k >= p.depth) { return vec4f(); }
  let i = r * p.depth + k;
  return vec4f(a[i], a[i + 1u], a[i + 2u], a[i + 3u]);
}

fn put_lora(first_m: u32, first_k: u32, r: u32, inverse: ptr<function, array<f32, QUADS>>, lane: u32) {
  for (var j = 0u; j < QUADS; j++) {
    let i = lane + j * THREADS;
    let m = first_m + left_row(i);
    let at = r + (i % 8u) * 4u;
    put_quad(i, vec4f(v_at(m, at), v_at(m, at + 1u), v_at(m, at + 2u), v_at(m, at + 3u)) * (*inverse)[j]);
  }
  for (var i = lane; i < CHUNK * TILE_K / 4u; i += THREADS) {
    let row = i / (TILE_K / 4u);
    let k = (i % (TILE_K / 4u)) * 4u;
    put_right(row * STRIDE_RIGHT + k, vec4<f16>(a_at(r + row, first_k + k)));
  }
}

// Writes one matrix of sums whose first element is dx[m, k].
fn drain(sum: Sum, m: u32, k: u32, subgroup: u32, lane: u32) {
  let begin = subgroup * u32(M * N);
  workgroupBarrier();
  store_sum(begin, sum);
  workgroupBarrier();
  for (var i = lane; i < u32(M * N); i += SUBGROUP_SIZE) {
    let row = m + i / u32(N);
    let column = k + i % u32(N);
    if (row < p.rows && column < p.depth) {
      let at = row * p.depth + column;
      let value = sums[begin + i] * row_scales[row];
      if (p.accumulate != 0u) { dx[at] += value; } else { dx[at] = value; }
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
  let first_k = group.x * TILE_K;
  var inverse: array<f32, QUADS>;
  for (var j = 0u; j < QUADS; j++) { inverse[j] = inverse_scale(first_m + left_row(lane + j * THREADS)); }
  let sub_m = (subgroup / SUBGROUPS_N) * 2u * u32(M);
  let sub_k = (subgroup % SUBGROUPS_N) * 4u * u32(N);
  var s00 = Sum(); var s01 = Sum(); var s02 = Sum(); var s03 = Sum();
  var s10 = Sum(); var s11 = Sum(); var s12 = Sum(); var s13 = Sum();
  let chunks = (p.columns + CHUNK - 1u) / CHUNK;
  let all = chunks + (p.rank + CHUNK - 1u) / CHUNK;
  var next = fetch_weights(first_m, first_k, 0u, lane);
  for (var chunk = 0u; chunk < all; chunk++) {
    workgroupBarrier();
    if (chunk < chunks) { put_weights(&next, &inverse, lane); }
    else { put_lora(first_m, first_k, (chunk - chunks) * CHUNK, &inverse, lane); }
    workgroupBarrier();
    if (chunk + 1u < chunks) { next = fetch_weights(first_m, first_k, (chunk + 1u) * CHUNK, lane); }
    for (var n = 0u; n < CHUNK; n += u32(K)) {
      let l0 = load_left(sub_m * STRIDE_LEFT + n);
      let l1 = load_left((sub_m + u32(M)) * STRIDE_LEFT + n);
      let r0 = load_right_by_rows(n * STRIDE_RIGHT + sub_k);
      let r1 = load_right_by_rows(n * STRIDE_RIGHT + sub_k + u32(N));
      let r2 = load_right_by_rows(n * STRIDE_RIGHT + sub_k + 2u * u32(N));
      let r3 = load_right_by_rows(n * STRIDE_RIGHT + sub_k + 3u * u32(N));
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
  let k = first_k + sub_k;
  drain(s00, m, k, subgroup, in_subgroup);
  drain(s01, m, k + u32(N), subgroup, in_subgroup);
  drain(s02, m, k + 2u * u32(N), subgroup, in_subgroup);
  drain(s03, m, k + 3u * u32(N), subgroup, in_subgroup);
  drain(s10, m + u32(M), k, subgroup, in_subgroup);
  drain(s11, m + u32(M), k + u32(N), subgroup, in_subgroup);
  drain(s12, m + u32(M), k + 2u * u32(N), subgroup, in_subgroup);
  drain(s13, m + u32(M), k + 3u * u32(N), subgroup, in_subgroup);
}

#include "shared/matrix_left.wgsl"
#include "linear/nf4_decode.wgsl"
#include "shared/row_scale_inverse.wgsl"
