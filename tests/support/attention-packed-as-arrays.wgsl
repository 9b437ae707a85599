// What attention's packed_by_* files declare, for a device without subgroup matrices. An invocation holds every
// SUBGROUP_SIZE-th row of left matrices and of sums; right ones stay in storage.

const ROWS_HELD = u32(M) / SUBGROUP_SIZE;

struct Left { values: array<f32, ROWS_HELD * u32(K)> }
struct Right { at: u32 }
struct Sum { values: array<f32, ROWS_HELD * u32(N)> }

var<workgroup> weights: array<f16, WEIGHTS>;

// The row of a matrix that is the first of an invocation's.
fn first_row() -> u32 { return subgroupExclusiveAdd(1u); }

fn load_left(at: u32) -> Left {
  let begin = at + first_row() * EDGE;
  var held: Left;
  for (var i = 0u; i < ROWS_HELD * u32(K); i++) {
    held.values[i] = f32(tiles[begin + (i / u32(K)) * SUBGROUP_SIZE * EDGE + i % u32(K)]);
  }
  return held;
}

fn load_weights(at: u32) -> Left {
  let begin = at + first_row() * WEIGHTS_STRIDE;
  var held: Left;
  for (var i = 0u; i < ROWS_HELD * u32(K); i++) {
    held.values[i] = f32(weights[begin + (i / u32(K)) * SUBGROUP_SIZE * WEIGHTS_STRIDE + i % u32(K)]);
  }
  return held;
}

fn load_right(at: u32) -> Right { return Right(at); }

fn subgroupMatrixMultiplyAccumulate(l: Left, r: Right, before: Sum) -> Sum {
  var values = l.values;
  var sum = before;
  for (var i = 0u; i < ROWS_HELD * u32(N); i++) {
    let at = r.at + (i % u32(N)) * EDGE;
    for (var k = 0u; k < u32(K); k++) {
      sum.values[i] += values[(i / u32(N)) * u32(K) + k] * f32(tiles[at + k]);
    }
  }
  return sum;
}

fn store_sum(at: u32, sum: Sum, stride: u32) {
  let begin = at + first_row() * stride;
  var values = sum.values;
  for (var i = 0u; i < ROWS_HELD * u32(N); i++) {
    sums[begin + (i / u32(N)) * SUBGROUP_SIZE * stride + i % u32(N)] = values[i];
  }
}
