// y = a·b in f32, as TensorFlow.js' WebGPU backend multiplies matrices whose sizes are multiples of four: tiles of 32 ×
// 32, 8 × 8 threads of 4 × 4 results, both operands staged in workgroup memory 32 of depth at a time. Only a's reads
// are bounds-checked, as there.
// Reference: tensorflow/tfjs, tfjs-backend-webgpu/src/matmul_packed_webgpu.ts.

struct Params {
  rows: i32,
  columns: i32,
  depth: i32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4f>;
@group(0) @binding(2) var<storage, read> b: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;

var<workgroup> a_tile: array<array<vec4f, 8>, 32>;
var<workgroup> b_tile: array<array<vec4f, 8>, 32>;

fn a_quad(row: i32, quad: i32) -> vec4f {
  if (row < p.rows && 4 * quad < p.depth) {
    return a[(row * p.depth) / 4 + quad];
  }
  return vec4f();
}

@compute @workgroup_size(8, 8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let across = i32(local.x);
  let down = 4 * i32(local.y);
  let row = 32 * i32(group.y) + down;
  let quad = 8 * i32(group.x) + across;
  var sums: array<vec4f, 4>;
  for (var k = 0; k < p.depth; k += 32) {
    for (var i = 0; i < 4; i++) {
      a_tile[down + i][across] = a_quad(row + i, k / 4 + across);
      b_tile[down + i][across] = b[((k + down + i) * p.columns) / 4 + quad];
    }
    workgroupBarrier();
    for (var q = 0; q < 8; q++) {
      let b0 = b_tile[4 * q][across];
      let b1 = b_tile[4 * q + 1][across];
      let b2 = b_tile[4 * q + 2][across];
      let b3 = b_tile[4 * q + 3][across];
      for (var i = 0; i < 4; i++) {
        let v = a_tile[down + i][q];
        sums[i] = b0 * v.x + sums[i];
        sums[i] = b1 * v.y + sums[i];
        sums[i] = b2 * v.z + sums[i];
        sums[i] = b3 * v.w + sums[i];
      }
    }
    workgroupBarrier();
  }
  for (var i = 0; i < 4; i++) {
    if (row + i < p.rows && 4 * quad < p.columns) {
      y[((row + i) * p.columns) / 4 + quad] = sums[i];
    }
  }
}
