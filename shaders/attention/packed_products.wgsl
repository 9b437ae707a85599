// Products of attention's packed operands: a subgroup has EDGE rows of one side, and of the other side EDGE come at a
// time. Left and right matrices are loaded straight from storage; scores and sums go through workgroup memory, since
// only there is an element known by row and column.
// requires: M, N, K, HEAD_DIM, EDGE, TILE, PART, SUBGROUPS
// requires: Sum, load_left, load_right, store_sum

// Matrices down and across EDGE × EDGE of them, and across half a head.
const DOWN = EDGE / u32(M);
const ACROSS = EDGE / u32(N);
const COLUMNS = HEAD_DIM / 2u / u32(N);

alias Scores = array<Sum, DOWN * ACROSS>;
// Sums of EDGE rows and half a head: compilers load all columns of a loop before its products, and those of a whole
// head take as many registers as there are.
alias Half = array<Sum, DOWN * COLUMNS>;

// Columns of sums that leave at once.
const STRIP = 32u;
// Of a subgroup: two matrices of scores, or a strip of its sums.
const SUMS = EDGE * STRIP;
var<workgroup> sums: array<f32, SUBGROUPS * SUMS>;

// Of a power of two, exactly.
fn inverse(power: f32) -> f32 { return bitcast<f32>(0x7f000000u - bitcast<u32>(power)); }

// Adds the products of K columns of a head, from number k on: low·high, high·low, high·high.
fn add_scores(scores: ptr<function, Scores>, left_at: u32, right_at: u32, k: u32) {
  let at = (k / EDGE) * TILE + k % EDGE;
  for (var m = 0u; m < DOWN; m++) {
    let left = left_at + at + m * u32(M) * EDGE;
    let low = load_left(left + PART);
    let high = load_left(left);
    for (var n = 0u; n < ACROSS; n++) {
      let right = right_at + at + n * u32(N) * EDGE;
      let right_high = load_right(right);
      var sum = (*scores)[m * ACROSS + n];
      sum = subgroupMatrixMultiplyAccumulate(low, right_high, sum);
      sum = subgroupMatrixMultiplyAccumulate(high, load_right(right + PART), sum);
      (*scores)[m * ACROSS + n] = subgroupMatrixMultiplyAccumulate(high, right_high, sum);
    }
  }
}

// Puts the products of EDGE rows with EDGE others, whose blocks begin there, into workgroup memory from `to` on.
fn put_scores(left_at: u32, right_at: u32, to: u32) {
  var scores: Scores;
  // Two steps at a time, whose loads overlap; compilers leave it a loop.
  for (var k = 0u; k < HEAD_DIM; k += 2u * u32(K)) {
    add_scores(&scores, left_at, right_at, k);
    add_scores(&scores, left_at, right_at, k + u32(K));
  }
  for (var m = 0u; m < DOWN; m++) {
    for (var n = 0u; n < ACROSS; n++) {
      store_sum(to + m * u32(M) * EDGE + n * u32(N), scores[m * ACROSS + n], EDGE);
    }
  }
}

// Puts strip number `strip` of a half into workgroup memory from `to` on.
fn put_strip(half: ptr<function, Half>, strip: u32, to: u32) {
  for (var m = 0u; m < DOWN; m++) {
    for (var n = 0u; n < STRIP / u32(N); n++) {
      let at = to + m * u32(M) * STRIP + n * u32(N);
      store_sum(at, (*half)[m * COLUMNS + strip * (STRIP / u32(N)) + n], STRIP);
    }
  }
}
