// What the subgroup_matrix_by_* files declare, for a device without matrix units.

struct Left { values: array<f32, M * K> }
struct Right { values: array<f32, K * N> }
struct Sum { values: array<f32, M * N> }

var<workgroup> tile_left: array<f16, LEFT>;
var<workgroup> tile_right: array<f16, RIGHT>;

fn put_left(at: u32, v: vec4<f16>) {
  for (var i = 0u; i < 4u; i++) { tile_left[at + i] = v[i]; }
}

fn put_right(at: u32, v: vec4<f16>) {
  for (var i = 0u; i < 4u; i++) { tile_right[at + i] = v[i]; }
}

fn load_left(at: u32) -> Left {
  var left: Left;
  for (var i = 0u; i < u32(M * K); i++) { left.values[i] = tile_left[at + (i / u32(K)) * STRIDE_LEFT + i % u32(K)]; }
  return left;
}

fn load_right_by_columns(at: u32) -> Right {
  var right: Right;
  for (var i = 0u; i < u32(K * N); i++) { right.values[i] = tile_right[at + (i % u32(N)) * STRIDE_RIGHT + i / u32(N)]; }
  return right;
}

fn load_right_by_rows(at: u32) -> Right {
  var right: Right;
  for (var i = 0u; i < u32(K * N); i++) { right.values[i] = tile_right[at + (i / u32(N)) * STRIDE_RIGHT + i % u32(N)]; }
  return right;
}

fn subgroupMatrixMultiplyAccumulate(left: Left, right: Right, before: Sum) -> Sum {
  var sum = before;
  for (var i = 0u; i < u32(M * N); i++) {
    for (var k = 0u; k < u32(K); k++) {
      sum.values[i] += left.values[(i / u32(N)) * u32(K) + k] * right.values[k * u32(N) + i % u32(N)];
    }
  }
  return sum;
}

// All invocations of the subgroup write the same values.
fn store_sum(at: u32, sum: Sum) {
  for (var i = 0u; i < u32(M * N); i++) { sums[at + i] = sum.values[i]; }
}
