// What the subgroup_matrix_by_* files declare, for a device without subgroup matrices. An invocation holds every
// SUBGROUP_SIZE-th row of left matrices and of sums; right ones stay in their tile, where they are read before it changes.

const ROWS_HELD = u32(M) / SUBGROUP_SIZE;

struct Left { values: array<f32, ROWS_HELD * u32(K)> }
struct Right { at: u32, to_next_k: u32, to_next_n: u32 }
struct Sum { values: array<f32, ROWS_HELD * u32(N)> }

// The row of a matrix that is the first of an invocation's.
fn first_row() -> u32 { return subgroupExclusiveAdd(1u); }

var<workgroup> tile_left: array<f16, LEFT>;
var<workgroup> tile_right: array<f16, RIGHT>;

fn put_left(at: u32, v: vec4<f16>) {
  for (var i = 0u; i < 4u; i++) { tile_left[at + i] = v[i]; }
}

fn put_right(at: u32, v: vec4<f16>) {
  for (var i = 0u; i < 4u; i++) { tile_right[at + i] = v[i]; }
}

fn load_left(at: u32) -> Left {
  let begin = at + first_row() * STRIDE_LEFT;
  var left: Left;
  for (var i = 0u; i < ROWS_HELD * u32(K); i++) {
    left.values[i] = f32(tile_left[begin + (i / u32(K)) * SUBGROUP_SIZE * STRIDE_LEFT + i % u32(K)]);
  }
  return left;
}

fn load_left_of_right(at: u32) -> Left {
  let begin = at + first_row() * STRIDE_RIGHT;
  var left: Left;
  for (var i = 0u; i < ROWS_HELD * u32(K); i++) {
    left.values[i] = f32(tile_right[begin + (i / u32(K)) * SUBGROUP_SIZE * STRIDE_RIGHT + i % u32(K)]);
  }
  return left;
}

fn load_right_by_columns(at: u32) -> Right { return Right(at, 1u, STRIDE_RIGHT); }

fn load_right_by_rows(at: u32) -> Right { return Right(at, STRIDE_RIGHT, 1u); }

fn subgroupMatrixMultiplyAccumulate(left: Left, right: Right, before: Sum) -> Sum {
  var values = left.values;
  var sum = before;
  for (var i = 0u; i < ROWS_HELD * u32(N); i++) {
    let at = right.at + (i % u32(N)) * right.to_next_n;
    for (var k = 0u; k < u32(K); k++) {
      sum.values[i] += values[(i / u32(N)) * u32(K) + k] * f32(tile_right[at + k * right.to_next_k]);
    }
  }
  return sum;
}

fn store_sum(at: u32, sum: Sum) {
  let begin = at + first_row() * u32(N);
  var values = sum.values;
  for (var i = 0u; i < ROWS_HELD * u32(N); i++) {
    sums[begin + (i / u32(N)) * SUBGROUP_SIZE * u32(N) + i % u32(N)] = values[i];
  }
}

fn load_sum(at: u32) -> Sum {
  let begin = at + first_row() * u32(N);
  var sum: Sum;
  for (var i = 0u; i < ROWS_HELD * u32(N); i++) {
    sum.values[i] = sums[begin + (i / u32(N)) * SUBGROUP_SIZE * u32(N) + i % u32(N)];
  }
  return sum;
}
