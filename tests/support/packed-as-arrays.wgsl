// What the packed_matrix_by_* files declare, for a device without subgroup matrices. An invocation holds every
// SUBGROUP_SIZE-th row of sums; left and right matrices stay in storage.

const ROWS_HELD = u32(M) / SUBGROUP_SIZE;

struct Left { at: u32 }
struct Right { at: u32 }
struct Sum { values: array<f32, ROWS_HELD * u32(N)> }

@group(0) @binding(1) var<storage, read> left: array<f16>;
@group(0) @binding(2) var<storage, read> right: array<f16>;

// The row of a matrix that is the first of an invocation's.
fn first_row() -> u32 { return subgroupExclusiveAdd(1u); }

fn load_left(at: u32) -> Left { return Left(at + first_row() * u32(K)); }

fn load_right(at: u32) -> Right { return Right(at); }

fn subgroupMatrixMultiplyAccumulate(l: Left, r: Right, before: Sum) -> Sum {
  var sum = before;
  for (var i = 0u; i < ROWS_HELD * u32(N); i++) {
    let row = l.at + (i / u32(N)) * SUBGROUP_SIZE * u32(K);
    let column = r.at + (i % u32(N)) * EDGE;
    for (var k = 0u; k < u32(K); k++) {
      sum.values[i] += f32(left[row + k]) * f32(right[column + k]);
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
