// What the attentions on subgroup matrices share: rows of q, k, v and do on their way into matrices of f16.
//
// A workgroup holds ROWS rows of one side in registers, as left matrices, and streams the other side past them in
// tiles of sixteen. Each row is divided by a power of two of its own and split in a high and a low half of f16,
// since a score of several hundred must be right to a thousandth: high·high + high·low + low·high is as good as f32.
// The kernel says how many matrices of each kind it has: PARTS of sixteen rows, LEFTS and RESULTS of ROWS × 16.
// HEAD_DIM is 64 or 128.
// Reference: H. Ootomo, R. Yokota, "Recovering single precision accuracy from Tensor Cores while surpassing the FP32
// theoretical peak performance" (three products of halves).
// requires: SUBGROUP_SIZE, SUBGROUPS, M, SUBGROUPS_M, HEAD_DIM, K, SUBGROUPS_N, PARTS, LEFTS, STRIDE_LEFT, RESULTS
// requires: tile_right, tile_left, Left, load_left_of_right, Sum, load_right_by_columns, N

const THREADS = SUBGROUP_SIZE * SUBGROUPS;
const ROWS = 2u * u32(M) * SUBGROUPS_M;
// Rows of a tile of the side that is streamed.
const STREAMED = 16u;
const STEPS = HEAD_DIM / u32(K);
// Columns of the sums that a subgroup adds up: four matrices of heads of 128, two of 64.
const COLUMNS = HEAD_DIM / SUBGROUPS_N;
// Halves between rows; the last 8 keep eight rows off each other's banks.
const STRIDE_RIGHT = HEAD_DIM + 8u;
const PART = STREAMED * STRIDE_RIGHT;
// What a thread brings of a row: every LANES-th quad.
const LANES = THREADS / STREAMED;
const QUADS = HEAD_DIM / 4u / LANES;

// Halves in the tiles.
const RIGHT = PARTS * PART;
const LEFT = LEFTS * ROWS * STRIDE_LEFT;

var<workgroup> sums: array<f32, RESULTS * ROWS * STREAMED>;

alias Row = array<vec4f, QUADS>;

// 2^(⌊log2 x⌋ - by), far from both ends of the exponents so that its inverse is normal too; x is not negative.
fn power_below(x: f32, by: u32) -> f32 {
  return bitcast<f32>((clamp(bitcast<u32>(x) >> 23u, 32u, 232u) - by) << 23u);
}

// Of a power of two, exactly.
fn inverse(power: f32) -> f32 { return bitcast<f32>(0x7f000000u - bitcast<u32>(power)); }

// What brings the largest magnitude of a row into [2⁹, 2¹⁰): the low halves then stay normal too.
fn scale_of(row: ptr<function, Row>) -> f32 {
  var most = vec4f();
  for (var j = 0u; j < QUADS; j++) { most = max(most, abs((*row)[j])); }
  var largest = max(max(most.x, most.y), max(most.z, most.w));
  for (var other = 1u; other < LANES; other *= 2u) {
    largest = max(largest, subgroupShuffleXor(largest, other));
  }
  return power_below(largest, 9u);
}

// Neighboring rows begin with different halves of a quad, in different banks.
fn put(at: u32, odd: bool, h: vec4<f16>) {
  let before = select(h.xy, h.zw, odd);
  let after = select(h.zw, h.xy, odd);
  let begin = at + select(0u, 2u, odd);
  let end = at + select(2u, 0u, odd);
  tile_right[begin] = before.x;
  tile_right[begin + 1u] = before.y;
  tile_right[end] = after.x;
  tile_right[end + 1u] = after.y;
}

// To the 11 bits of f16. By whole numbers, since compilers may take a conversion to f16 and back for nothing.
fn rounded(x: vec4f) -> vec4f {
  return bitcast<vec4f>((bitcast<vec4u>(x) + vec4u(0x1000u)) & vec4u(0xffffe000u));
}

// Puts both halves of one element beside one another into a left tile whose rows have room for both.
fn put_left_split(at: u32, x: f32) {
  let high = bitcast<f32>((bitcast<u32>(x) + 0x1000u) & 0xffffe000u);
  tile_left[at] = f16(high);
  tile_left[at + STREAMED] = f16(x - high);
}

// Puts a thread's share of a row in its place, and the low half one part behind the high one.
fn put_split(part: u32, lane: u32, row: ptr<function, Row>, by: f32) {
  let r = lane / LANES;
  for (var j = 0u; j < QUADS; j++) {
    let at = part * PART + r * STRIDE_RIGHT + 4u * (lane % LANES + j * LANES);
    let value = (*row)[j] * by;
    let high = rounded(value);
    put(at, r % 2u == 1u, vec4<f16>(high));
    put(at + PART, r % 2u == 1u, vec4<f16>(value - high));
  }
}

struct Lefts { high: array<Left, STEPS>, low: array<Left, STEPS> }

// The matrices of rows that lie from row r of a part on.
fn load_lefts(lefts: ptr<function, Lefts>, part: u32, r: u32) {
  let at = part * PART + r * STRIDE_RIGHT;
  for (var k = 0u; k < STEPS; k++) {
    (*lefts).high[k] = load_left_of_right(at + k * u32(K));
    (*lefts).low[k] = load_left_of_right(at + PART + k * u32(K));
  }
}

// Their products with N rows of the streamed side, from row n of a part on.
fn products(lefts: ptr<function, Lefts>, part: u32, n: u32) -> Sum {
  let at = part * PART + n * STRIDE_RIGHT;
  var sum = Sum();
  for (var k = 0u; k < STEPS; k++) {
    let high = load_right_by_columns(at + k * u32(K));
    let low = load_right_by_columns(at + PART + k * u32(K));
    sum = subgroupMatrixMultiplyAccumulate((*lefts).low[k], high, sum);
    sum = subgroupMatrixMultiplyAccumulate((*lefts).high[k], low, sum);
    sum = subgroupMatrixMultiplyAccumulate((*lefts).high[k], high, sum);
  }
  return sum;
}

// Where the matrices of sums have row m and column n of ROWS × STREAMED.
fn sum_at(m: u32, n: u32) -> u32 {
  let matrix = (m / u32(M)) * (STREAMED / u32(N)) + n / u32(N);
  return matrix * u32(M * N) + (m % u32(M)) * u32(N) + n % u32(N);
}
