// What attention's gradients on subgroup matrices share: both sides' rows, and scores and do·vᵀ side by side.
//
// Half of the subgroups make the scores and what follows from the weights, the other half do·vᵀ and what follows from
// ds. The parts of a tile are the first matrix high and low, and the second likewise: k and v, or q and do.
// Queries are counted head by head within a token: row r is token r / heads, head first_head + r % heads.
// requires: SUBGROUPS_M, SUBGROUPS_N, HEAD_DIM, Row, p.kv_heads, LANES, QUADS, k, v, p.heads, q, dout, put_split
// requires: inverse, scale_of, Sum, M, N, store_sum, SUBGROUP_SIZE, sums, load_sum

const HALF = SUBGROUPS_M * SUBGROUPS_N;
const SUBGROUPS = 2u * HALF;
const PARTS = 4u;
const RESULTS = 2u;
const SECOND = 2u;
// Larger than any |do·v| of rows whose largest elements are 2¹⁰.
const BOUND = f32(HEAD_DIM) * 1048576.0;
// ds becomes f16 in units of which its bound is at most 2¹⁴, itself twice that; new units leave room for larger ones.
const MAX_DS = 16384.0;

struct Fetched { a: Row, b: Row }

fn fetch_keys(key: u32, end: u32, kv_head: u32, lane: u32) -> Fetched {
  var f: Fetched;
  if (key >= end) { return f; }
  let at = (key * p.kv_heads + kv_head) * (HEAD_DIM / 4u) + lane % LANES;
  for (var j = 0u; j < QUADS; j++) {
    f.a[j] = k[at + j * LANES];
    f.b[j] = v[at + j * LANES];
  }
  return f;
}

// Where the query and the head of a row are in [tokens, heads].
fn place(row: u32, first_head: u32, heads: u32) -> u32 {
  return (row / heads) * p.heads + first_head + row % heads;
}

fn fetch_queries(row: u32, end: u32, first_head: u32, heads: u32, lane: u32) -> Fetched {
  var f: Fetched;
  if (row >= end) { return f; }
  let at = place(row, first_head, heads) * (HEAD_DIM / 4u) + lane % LANES;
  for (var j = 0u; j < QUADS; j++) {
    f.a[j] = q[at + j * LANES];
    f.b[j] = dout[at + j * LANES];
  }
  return f;
}

// Puts sixteen rows of both matrices in their places, divided by these.
fn stage(f: ptr<function, Fetched>, scales: vec2f, lane: u32) {
  var a = (*f).a;
  var b = (*f).b;
  put_split(0u, lane, &a, inverse(scales.x));
  put_split(SECOND, lane, &b, inverse(scales.y));
}

fn scales_of(f: ptr<function, Fetched>) -> vec2f {
  var a = (*f).a;
  var b = (*f).b;
  return vec2f(scale_of(&a), scale_of(&b));
}

// Sums in another unit.
fn rescaled(sum: Sum, by: f32, subgroup: u32, lane: u32) -> Sum {
  let begin = subgroup * u32(M * N);
  workgroupBarrier();
  store_sum(begin, sum);
  workgroupBarrier();
  for (var i = lane; i < u32(M * N); i += SUBGROUP_SIZE) { sums[begin + i] *= by; }
  workgroupBarrier();
  return load_sum(begin);
}
