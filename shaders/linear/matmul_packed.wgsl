// y = (left·rightᵀ)·row_scales + bias + residual, or added to y, on subgroup matrices whose operands are packed by
// tile: left [rows, inner], right [columns, inner], both f16, all sums f32; `columns` is a multiple of four. With
// pack_rows and pack_weights it makes nf4_matmul and its gradient, whose LoRA product is part of the inner dimension,
// and the head's, a slab of the table at a time. Workgroups of one z share a part of the inner dimension and a slice
// of y.
//
// Each subgroup makes 4 × 4 matrices of sums, SUBGROUPS_M × SUBGROUPS_N subgroups a tile. Operands are padded to
// whole tiles, so that none of their loads needs a check, and are loaded straight from storage.
// requires: M, N, K, SUBGROUP_SIZE, SUBGROUPS_M, SUBGROUPS_N from matrixHead
// requires: Sum, load_left, load_right, store_sum from shared/packed_matrix_by_{flag,order}.wgsl

struct Params {
  rows: u32, columns: u32,
  // Left matrices in a part of the inner dimension, and those from one row of them to the next.
  inner: u32, left_across: u32,
  // Right tiles from one column of them to the next.
  right_across: u32,
  // Numbers of y from one row to the next, before the first column, and from one slice to the next.
  stride: u32, first: u32, slice: u32,
  // From which left matrix of a row on how many are passed over: LoRA's of other products with the same rows.
  lora_from: u32, passed_over: u32,
}

override HAS_BIAS: bool = false;
override HAS_RESIDUAL: bool = false;
override ACCUMULATE: bool = false;

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(3) var<storage, read> row_scales: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<vec4f>;
@group(0) @binding(5) var<storage, read> residual: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> y: array<vec4f>;

#include "shared/packed_tiles.wgsl"

const TILE_M = 4u * u32(M) * SUBGROUPS_M;
const TILE_N = 4u * u32(N) * SUBGROUPS_N;
const THREADS = SUBGROUP_SIZE * SUBGROUPS_M * SUBGROUPS_N;
// Halves in a left matrix.
const LEFT = u32(M) * u32(K);
// Numbers in a row of four matrices of sums that stand side by side, and in all of it.
const WIDTH = 4u * u32(N);
const STRIP = u32(M) * WIDTH;

// Quads of a strip that an invocation writes, those of a row that follow each other, and rows from one to the next:
// either a subgroup writes several rows at once, or a row takes it several quads.
const QUADS = (STRIP + 4u * SUBGROUP_SIZE - 1u) / (4u * SUBGROUP_SIZE);
const ACROSS = max(1u, WIDTH / (4u * SUBGROUP_SIZE));
const DOWN = max(1u, 4u * SUBGROUP_SIZE / WIDTH);
// Numbers of workgroup memory for a strip: where a subgroup could write more at once, all of its reads stay within.
const SPAN = QUADS * 4u * SUBGROUP_SIZE;

// Four matrices of sums of each subgroup, on their way out: only in workgroup memory is an element known by row and
// column.
var<workgroup> sums: array<f32, SPAN * SUBGROUPS_M * SUBGROUPS_N>;

// Writes four matrices of sums that stand side by side, from row m and column n on. What is added to them is loaded
// first, all at once and from clamped places, so that nothing waits for it. Places are counted on from the first quad
// by steps that are the same for all invocations: multiplied for each, they took more than all else here.
fn drain(s0: Sum, s1: Sum, s2: Sum, s3: Sum, m: u32, n: u32, y_begin: u32, subgroup: u32, lane: u32) {
  let begin = subgroup * SPAN;
  let first = begin + lane * 4u;
  let row = m + lane * 4u / WIDTH;
  let column = n + lane * 4u % WIDTH;
  // Quads of y and residual: the first of this invocation, and the last there is.
  let y_at = (y_begin + row * p.stride + column) / 4u;
  let y_last = (y_begin + (p.rows - 1u) * p.stride + p.columns) / 4u - 1u;
  let residual_at = (row * p.columns + column) / 4u;
  let residual_last = p.rows * p.columns / 4u - 1u;
  var scale: array<f32, QUADS>;
  var more: array<vec4f, QUADS>;
  for (var j = 0u; j < QUADS; j++) {
    let below = j / ACROSS * DOWN;
    let beside = j % ACROSS * SUBGROUP_SIZE;
    scale[j] = row_scales[min(row + below, p.rows - 1u)];
    if (HAS_BIAS) { more[j] += bias[min(column / 4u + beside, p.columns / 4u - 1u)]; }
    if (HAS_RESIDUAL) { more[j] += residual[min(residual_at + below * p.columns / 4u + beside, residual_last)]; }
    if (ACCUMULATE) { more[j] += y[min(y_at + below * p.stride / 4u + beside, y_last)]; }
  }
  workgroupBarrier();
  store_sum(begin, s0, WIDTH);
  store_sum(begin + u32(N), s1, WIDTH);
  store_sum(begin + 2u * u32(N), s2, WIDTH);
  store_sum(begin + 3u * u32(N), s3, WIDTH);
  workgroupBarrier();
  // Apart from the stores, which are conditional: compilers move a load that only a branch needs into the branch.
  for (var j = 0u; j < QUADS; j++) {
    let at = first + j * 4u * SUBGROUP_SIZE;
    more[j] += vec4f(sums[at], sums[at + 1u], sums[at + 2u], sums[at + 3u]) * scale[j];
  }
  for (var j = 0u; j < QUADS; j++) {
    let below = j / ACROSS * DOWN;
    let beside = j % ACROSS * SUBGROUP_SIZE;
    if ((lane + j * SUBGROUP_SIZE) * 4u < STRIP && row + below < p.rows && column + 4u * beside < p.columns) {
      y[y_at + below * p.stride / 4u + beside] = more[j];
    }
  }
}

// Where a subgroup's operands begin: its first left matrix, those below it so far apart, and its right ones.
struct Places { left: u32, below: u32, right: vec4u }

// Adds the products of the i-th left and right matrices to all sixteen sums.
fn add_products(
  i: u32, at: Places,
  s00: ptr<function, Sum>, s01: ptr<function, Sum>, s02: ptr<function, Sum>, s03: ptr<function, Sum>,
  s10: ptr<function, Sum>, s11: ptr<function, Sum>, s12: ptr<function, Sum>, s13: ptr<function, Sum>,
  s20: ptr<function, Sum>, s21: ptr<function, Sum>, s22: ptr<function, Sum>, s23: ptr<function, Sum>,
  s30: ptr<function, Sum>, s31: ptr<function, Sum>, s32: ptr<function, Sum>, s33: ptr<function, Sum>,
) {
  let l = at.left + (i + select(0u, p.passed_over, i >= p.lora_from)) * LEFT;
  let right = at.right + packed_at(0u, i * u32(K), p.right_across);
  let l0 = load_left(l);
  let l1 = load_left(l + at.below);
  let l2 = load_left(l + 2u * at.below);
  let l3 = load_left(l + 3u * at.below);
  let r0 = load_right(right.x);
  *s00 = subgroupMatrixMultiplyAccumulate(l0, r0, *s00);
  *s10 = subgroupMatrixMultiplyAccumulate(l1, r0, *s10);
  *s20 = subgroupMatrixMultiplyAccumulate(l2, r0, *s20);
  *s30 = subgroupMatrixMultiplyAccumulate(l3, r0, *s30);
  let r1 = load_right(right.y);
  *s01 = subgroupMatrixMultiplyAccumulate(l0, r1, *s01);
  *s11 = subgroupMatrixMultiplyAccumulate(l1, r1, *s11);
  *s21 = subgroupMatrixMultiplyAccumulate(l2, r1, *s21);
  *s31 = subgroupMatrixMultiplyAccumulate(l3, r1, *s31);
  let r2 = load_right(right.z);
  *s02 = subgroupMatrixMultiplyAccumulate(l0, r2, *s02);
  *s12 = subgroupMatrixMultiplyAccumulate(l1, r2, *s12);
  *s22 = subgroupMatrixMultiplyAccumulate(l2, r2, *s22);
  *s32 = subgroupMatrixMultiplyAccumulate(l3, r2, *s32);
  let r3 = load_right(right.w);
  *s03 = subgroupMatrixMultiplyAccumulate(l0, r3, *s03);
  *s13 = subgroupMatrixMultiplyAccumulate(l1, r3, *s13);
  *s23 = subgroupMatrixMultiplyAccumulate(l2, r3, *s23);
  *s33 = subgroupMatrixMultiplyAccumulate(l3, r3, *s33);
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(subgroup_id) subgroup: u32,
  @builtin(subgroup_invocation_id) in_subgroup: u32,
) {
  let m = group.y * TILE_M + (subgroup / SUBGROUPS_N) * 4u * u32(M);
  let n = group.x * TILE_N + (subgroup % SUBGROUPS_N) * WIDTH;
  // All sixteen are written out; tile_sums says why.
  var s00 = Sum(); var s01 = Sum(); var s02 = Sum(); var s03 = Sum();
  var s10 = Sum(); var s11 = Sum(); var s12 = Sum(); var s13 = Sum();
  var s20 = Sum(); var s21 = Sum(); var s22 = Sum(); var s23 = Sum();
  var s30 = Sum(); var s31 = Sum(); var s32 = Sum(); var s33 = Sum();

  let below = p.left_across * LEFT;
  let at = Places(
    (m / u32(M)) * below,
    below,
    vec4u(
      packed_at(n, 0u, p.right_across),
      packed_at(n + u32(N), 0u, p.right_across),
      packed_at(n + 2u * u32(N), 0u, p.right_across),
      packed_at(n + 3u * u32(N), 0u, p.right_across),
    ),
  );
  let begin = group.z * p.inner;
  // The first products stand before the loop, so that compilers carry sums through it that a product made, not zeros:
  // NVK then finds registers for them that matrix instructions can use, and moves none of them in the loop.
  add_products(
    begin, at,
    &s00, &s01, &s02, &s03,
    &s10, &s11, &s12, &s13,
    &s20, &s21, &s22, &s23,
    &s30, &s31, &s32, &s33,
  );
  for (var i = begin + 1u; i < begin + p.inner; i++) {
    add_products(
      i, at,
      &s00, &s01, &s02, &s03,
      &s10, &s11, &s12, &s13,
      &s20, &s21, &s22, &s23,
      &s30, &s31, &s32, &s33,
    );
  }
  let y_begin = p.first + group.z * p.slice;
  drain(s00, s01, s02, s03, m, n, y_begin, subgroup, in_subgroup);
  drain(s10, s11, s12, s13, m + u32(M), n, y_begin, subgroup, in_subgroup);
  drain(s20, s21, s22, s23, m + 2u * u32(M), n, y_begin, subgroup, in_subgroup);
  drain(s30, s31, s32, s33, m + 3u * u32(M), n, y_begin, subgroup, in_subgroup);
}
