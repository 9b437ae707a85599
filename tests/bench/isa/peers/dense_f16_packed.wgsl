enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;
enable subgroup_size_control;

// y = a·bᵀ in f16 with f32 sums, nothing decoded: what a product costs once both operands lie in memory as matrices of
// 16 × 16, packed one after the other, those of a band of sixteen rows next to each other. A subgroup computes 4 × 4
// matrices and loads them straight from storage; four subgroups share a tile of 128 × 128.

struct Params {
  rows: u32,
  columns: u32,
  depth: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<f16>;
@group(0) @binding(2) var<storage, read> b: array<f16>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

alias Left = subgroup_matrix_left<f16, 16, 16>;
alias Right = subgroup_matrix_right<f16, 16, 16>;
alias Sum = subgroup_matrix_result<f32, 16, 16>;

@compute @workgroup_size(128) @subgroup_size(32)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_id) subgroup: u32) {
  var s00 = Sum(); var s01 = Sum(); var s02 = Sum(); var s03 = Sum();
  var s10 = Sum(); var s11 = Sum(); var s12 = Sum(); var s13 = Sum();
  var s20 = Sum(); var s21 = Sum(); var s22 = Sum(); var s23 = Sum();
  var s30 = Sum(); var s31 = Sum(); var s32 = Sum(); var s33 = Sum();
  let row = group.y * 8u + (subgroup / 2u) * 4u;
  let column = group.x * 8u + (subgroup % 2u) * 4u;
  // Numbers in a band of sixteen rows.
  let band = 16u * p.depth;
  var left = row * band;
  var right = column * band;
  var k = 0u;
  loop {
    let l0 = subgroupMatrixLoad<Left, row_major>(&a, left + 0u * band, 16u);
    let l1 = subgroupMatrixLoad<Left, row_major>(&a, left + 1u * band, 16u);
    let l2 = subgroupMatrixLoad<Left, row_major>(&a, left + 2u * band, 16u);
    let l3 = subgroupMatrixLoad<Left, row_major>(&a, left + 3u * band, 16u);
    let r0 = subgroupMatrixLoad<Right, col_major>(&b, right + 0u * band, 16u);
    s00 = subgroupMatrixMultiplyAccumulate(l0, r0, s00);
    s10 = subgroupMatrixMultiplyAccumulate(l1, r0, s10);
    s20 = subgroupMatrixMultiplyAccumulate(l2, r0, s20);
    s30 = subgroupMatrixMultiplyAccumulate(l3, r0, s30);
    let r1 = subgroupMatrixLoad<Right, col_major>(&b, right + 1u * band, 16u);
    s01 = subgroupMatrixMultiplyAccumulate(l0, r1, s01);
    s11 = subgroupMatrixMultiplyAccumulate(l1, r1, s11);
    s21 = subgroupMatrixMultiplyAccumulate(l2, r1, s21);
    s31 = subgroupMatrixMultiplyAccumulate(l3, r1, s31);
    let r2 = subgroupMatrixLoad<Right, col_major>(&b, right + 2u * band, 16u);
    s02 = subgroupMatrixMultiplyAccumulate(l0, r2, s02);
    s12 = subgroupMatrixMultiplyAccumulate(l1, r2, s12);
    s22 = subgroupMatrixMultiplyAccumulate(l2, r2, s22);
    s32 = subgroupMatrixMultiplyAccumulate(l3, r2, s32);
    let r3 = subgroupMatrixLoad<Right, col_major>(&b, right + 3u * band, 16u);
    s03 = subgroupMatrixMultiplyAccumulate(l0, r3, s03);
    s13 = subgroupMatrixMultiplyAccumulate(l1, r3, s13);
    s23 = subgroupMatrixMultiplyAccumulate(l2, r3, s23);
    s33 = subgroupMatrixMultiplyAccumulate(l3, r3, s33);
    left += 256u;
    right += 256u;
    k += 16u;
    continuing { break if k >= p.depth; }
  }
  let out = row * 16u * p.columns + column * 16u;
  subgroupMatrixStore<row_major>(&y, out + 0u * 16u * p.columns + 0u * 16u, s00, p.columns);
  subgroupMatrixStore<row_major>(&y, out + 0u * 16u * p.columns + 1u * 16u, s01, p.columns);
  subgroupMatrixStore<row_major>(&y, out + 0u * 16u * p.columns + 2u * 16u, s02, p.columns);
  subgroupMatrixStore<row_major>(&y, out + 0u * 16u * p.columns + 3u * 16u, s03, p.columns);
  subgroupMatrixStore<row_major>(&y, out + 1u * 16u * p.columns + 0u * 16u, s10, p.columns);
  subgroupMatrixStore<row_major>(&y, out + 1u * 16u * p.columns + 1u * 16u, s11, p.columns);
  subgroupMatrixStore<row_major>(&y, out + 1u * 16u * p.columns + 2u * 16u, s12, p.columns);
  subgroupMatrixStore<row_major>(&y, out + 1u * 16u * p.columns + 3u * 16u, s13, p.columns);
  subgroupMatrixStore<row_major>(&y, out + 2u * 16u * p.columns + 0u * 16u, s20, p.columns);
  subgroupMatrixStore<row_major>(&y, out + 2u * 16u * p.columns + 1u * 16u, s21, p.columns);
  subgroupMatrixStore<row_major>(&y, out + 2u * 16u * p.columns + 2u * 16u, s22, p.columns);
  subgroupMatrixStore<row_major>(&y, out + 2u * 16u * p.columns + 3u * 16u, s23, p.columns);
  subgroupMatrixStore<row_major>(&y, out + 3u * 16u * p.columns + 0u * 16u, s30, p.columns);
  subgroupMatrixStore<row_major>(&y, out + 3u * 16u * p.columns + 1u * 16u, s31, p.columns);
  subgroupMatrixStore<row_major>(&y, out + 3u * 16u * p.columns + 2u * 16u, s32, p.columns);
  subgroupMatrixStore<row_major>(&y, out + 3u * 16u * p.columns + 3u * 16u, s33, p.columns);
}
