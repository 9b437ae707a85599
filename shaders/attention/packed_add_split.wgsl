// Sums of weights' products where the weights have both halves: those of a row's EDGE, the low ones EDGE behind.
// requires: M, N, K, EDGE, PART, DOWN, COLUMNS, Half, Left, load_weights, load_right, weights

const WEIGHTS_STRIDE = 2u * EDGE + 8u;

// Adds the products of a subgroup's weights with half of the columns of a block: low·high, high·low, high·high.
fn add_half(half: ptr<function, Half>, weights_at: u32, right_at: u32) {
  for (var k = 0u; k < EDGE; k += u32(K)) {
    var high: array<Left, DOWN>;
    var low: array<Left, DOWN>;
    for (var m = 0u; m < DOWN; m++) {
      let at = weights_at + m * u32(M) * WEIGHTS_STRIDE + k;
      high[m] = load_weights(at);
      low[m] = load_weights(at + EDGE);
    }
    for (var n = 0u; n < COLUMNS; n++) {
      let right = right_at + n * u32(N) * EDGE + k;
      let right_high = load_right(right);
      let right_low = load_right(right + PART);
      for (var m = 0u; m < DOWN; m++) {
        var sum = (*half)[m * COLUMNS + n];
        sum = subgroupMatrixMultiplyAccumulate(low[m], right_high, sum);
        sum = subgroupMatrixMultiplyAccumulate(high[m], right_low, sum);
        (*half)[m * COLUMNS + n] = subgroupMatrixMultiplyAccumulate(high[m], right_high, sum);
      }
    }
  }
}

// Puts both halves of a weight beside one another.
fn put_weight(at: u32, x: f32) {
  let high = bitcast<f32>((bitcast<u32>(x) + 0x1000u) & 0xffffe000u);
  weights[at] = f16(high);
  weights[at + EDGE] = f16(x - high);
}
