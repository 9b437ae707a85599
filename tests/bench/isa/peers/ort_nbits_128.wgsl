enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;
enable subgroup_size_control;

// y = a·wᵀ with w in 4 bits, as ONNX Runtime's WebGPU kernel for matrices of 16 × 16 × 16 goes about it: a packed
// beforehand by matrices and loaded from storage, w decoded into workgroup memory 32 columns of depth at a time, 4 × 4
// matrices a subgroup, 128 × 128 a workgroup, sums in f16. Codes are linear around 8, one scale for 32 of them.
// Reference: microsoft/onnxruntime, contrib_ops/webgpu/quantization/subgroup_matrix_matmul_nbits_16x16x16_128.

struct Params {
  columns: u32,
  depth: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<f16>;
@group(0) @binding(2) var<storage, read> codes: array<u32>;
@group(0) @binding(3) var<storage, read> scales: array<f16>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

alias Left = subgroup_matrix_left<f16, 16, 16>;
alias Right = subgroup_matrix_right<f16, 16, 16>;
alias Sum = subgroup_matrix_result<f32, 16, 16>;

// Halves from one row of the tile to the next: 32, and eight so that rows fall into different banks.
const STRIDE = 40u;
var<workgroup> tile: array<f16, 128u * STRIDE>;

fn decode_eight(word: u32, scale: f16, at: u32) {
  let even = (vec4<f16>(unpack4xU8(word & 0x0f0f0f0fu)) - 8.0h) * scale;
  let odd = (vec4<f16>(unpack4xU8((word >> 4u) & 0x0f0f0f0fu)) - 8.0h) * scale;
  for (var i = 0u; i < 4u; i++) {
    tile[at + 2u * i] = even[i];
    tile[at + 2u * i + 1u] = odd[i];
  }
}

// A thread decodes sixteen numbers of a row of w, if there is such a row.
fn stage(row: u32, first: u32, k: u32, half: u32) {
  let at = row * STRIDE + 16u * half;
  let column = first + row;
  if (column < p.columns) {
    let begin = column * p.depth + k + 16u * half;
    let scale = scales[begin / 32u];
    decode_eight(codes[begin / 8u], scale, at);
    decode_eight(codes[begin / 8u + 1u], scale, at + 8u);
  } else {
    for (var i = 0u; i < 16u; i++) { tile[at + i] = 0.0h; }
  }
}

@compute @workgroup_size(128) @subgroup_size(32)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_id) subgroup: u32,
) {
  var s00 = Sum(); var s01 = Sum(); var s02 = Sum(); var s03 = Sum();
  var s10 = Sum(); var s11 = Sum(); var s12 = Sum(); var s13 = Sum();
  var s20 = Sum(); var s21 = Sum(); var s22 = Sum(); var s23 = Sum();
  var s30 = Sum(); var s31 = Sum(); var s32 = Sum(); var s33 = Sum();
  let first = group.x * 128u;
  let row = group.y * 8u + (subgroup % 2u) * 4u;
  let mine = (subgroup / 2u) * 64u;
  let band = 16u * p.depth;
  var left = row * band;
  for (var chunk = 0u; chunk < p.depth; chunk += 32u) {
    stage(lane / 2u, first, chunk, lane % 2u);
    stage(lane / 2u + 64u, first, chunk, lane % 2u);
    workgroupBarrier();
    for (var k = 0u; k < 32u; k += 16u) {
      let begin = mine * STRIDE + k;
      let r0 = subgroupMatrixLoad<Right, col_major>(&tile, begin + 0u * STRIDE, STRIDE);
      let r1 = subgroupMatrixLoad<Right, col_major>(&tile, begin + 16u * STRIDE, STRIDE);
      let r2 = subgroupMatrixLoad<Right, col_major>(&tile, begin + 32u * STRIDE, STRIDE);
      let r3 = subgroupMatrixLoad<Right, col_major>(&tile, begin + 48u * STRIDE, STRIDE);
      let l0 = subgroupMatrixLoad<Left, row_major>(&a, left + 0u * band, 16u);
      s00 = subgroupMatrixMultiplyAccumulate(l0, r0, s00);
      s01 = subgroupMatrixMultiplyAccumulate(l0, r1, s01);
      s02 = subgroupMatrixMultiplyAccumulate(l0, r2, s02);
      s03 = subgroupMatrixMultiplyAccumulate(l0, r3, s03);
      let l1 = subgroupMatrixLoad<Left, row_major>(&a, left + 1u * band, 16u);
      s10 = subgroupMatrixMultiplyAccumulate(l1, r0, s10);
      s11 = subgroupMatrixMultiplyAccumulate(l1, r1, s11);
      s12 = subgroupMatrixMultiplyAccumulate(l1, r2, s12);
      s13 = subgroupMatrixMultiplyAccumulate(l1, r3, s13);
      let l2 = subgroupMatrixLoad<Left, row_major>(&a, left + 2u * band, 16u);
      s20 = subgroupMatrixMultiplyAccumulate(l2, r0, s20);
      s21 = subgroupMatrixMultiplyAccumulate(l2, r1, s21);
      s22 = subgroupMatrixMultiplyAccumulate(l2, r2, s22);
      s23 = subgroupMatrixMultiplyAccumulate(l2, r3, s23);
      let l3 = subgroupMatrixLoad<Left, row_major>(&a, left + 3u * band, 16u);
      s30 = subgroupMatrixMultiplyAccumulate(l3, r0, s30);
      s31 = subgroupMatrixMultiplyAccumulate(l3, r1, s31);
      s32 = subgroupMatrixMultiplyAccumulate(l3, r2, s32);
      s33 = subgroupMatrixMultiplyAccumulate(l3, r3, s33);
      left += 256u;
    }
    workgroupBarrier();
  }
  let out = row * 16u * p.columns + first + mine;
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
