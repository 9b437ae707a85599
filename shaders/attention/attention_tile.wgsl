// What the kernels of attention in f32 share: products of tiles by way of workgroup memory. A tile has ROWS rows and
// 64 columns, queries and keys in either role. The thread (ty, tx) has the rows of quad QUADS·ty and, of 8 rows, of
// the quad behind it; of the tile the columns 4·tx … 4·tx + 3, of what the tile is multiplied with then the vec4
// columns tx and tx + 16. All products are outer products: each term is one fused multiply-add, and each number that
// is read from workgroup memory serves 4 or 8 of them. What comes next is fetched while the last is multiplied. The
// kernels say where numbers come from: row_at(what, row, head, kv_head, c) and column_at of the matrices of product
// `what`, and value_at of the rows that the tile is multiplied with, which also take rows past the last.
// requires: p.tokens, row_at, column_at, value_at

// head_dim / 4, at most 32.
override HEAD4: u32;
override TY: u32 = 8u;
// Fours of rows that a thread has: 1 or 2.
override QUADS: u32 = 1u;

const TX = 16u;
const COLUMNS = 4u * TX;
override THREADS = TX * TY;
override ROW_QUADS = TY * QUADS; // a multiple of 8
override ROWS = 4u * ROW_QUADS;

// vec4 columns that are staged at a time.
const CHUNK = 4u;
override CHUNKS = (HEAD4 + CHUNK - 1u) / CHUNK;
// Quads of both matrices beside one another, in each line of what is staged, and from one fours of lines to the next:
// so that what eight lanes write at once is spread over the banks.
override LINE = ROW_QUADS + TX;
override LINES = 4u * LINE + 2u;
// Rows that are staged at a time as they are.
override VALUE_ROWS = min(COLUMNS, 512u / HEAD4 / 4u * 4u);
// What is staged at a time, in parts of four vec4 that one thread brings.
const PARTS = 128u;

// Columns of both matrices, transposed so that a line has one number of each row; or rows as they are.
var<workgroup> staged: array<vec4f, max(4u * PARTS, CHUNK * LINES)>;
// The tile, transposed: a line for each column; and what threads tell one another of their rows.
var<workgroup> weights: array<vec4f, COLUMNS * ROW_QUADS>;

// One part, or two, of what a thread brings; or the two quads of its rows.
struct Two { a: mat4x4f, b: mat4x4f }

// A thread's rows of a result of head_dim columns, a matrix column for each: of its quads a and b, 16 vec4 columns
// apart.
struct Wide { a0: mat4x4f, a1: mat4x4f, b0: mat4x4f, b1: mat4x4f }

// Past the last token comes the last again: what becomes of it is masked or not stored.
fn clamp_token(token: u32) -> u32 { return min(token, p.tokens - 1u); }

// Where line `line` has quad `quad`; `flip` spreads what lanes write at once over the banks.
fn weight_at(line: u32, flip: u32, quad: u32) -> u32 { return line * ROW_QUADS + (quad ^ (flip % 8u)); }

// m[j][i] + a[i]·b[j].
fn add_outer(m: mat4x4f, a: vec4f, b: vec4f) -> mat4x4f {
  return mat4x4f(
    fma(a, vec4f(b.x), m[0]),
    fma(a, vec4f(b.y), m[1]),
    fma(a, vec4f(b.z), m[2]),
    fma(a, vec4f(b.w), m[3]),
  );
}

// m[j][i]·by[j].
fn by_column(m: mat4x4f, by: vec4f) -> mat4x4f { return mat4x4f(m[0] * by.x, m[1] * by.y, m[2] * by.z, m[3] * by.w); }

// Writes a part of four rows' vec4 column, transposed.
fn put_transposed(part: u32, m: mat4x4f) {
  let quad = part / CHUNK;
  let c = part % CHUNK;
  if (quad >= LINE) { return; }
  let at = c * LINES + min(quad, LINE - 1u);
  let t = transpose(m);
  staged[at] = t[0];
  staged[at + LINE] = t[1];
  staged[at + 2u * LINE] = t[2];
  staged[at + 3u * LINE] = t[3];
}

// Writes four vec4 of rows that stay as they are, PARTS apart, so that neighbors bring neighbors.
fn put_plain(part: u32, m: mat4x4f) {
  if (part >= PARTS) { return; }
  let at = min(part, PARTS - 1u);
  staged[at] = m[0];
  staged[at + PARTS] = m[1];
  staged[at + 2u * PARTS] = m[2];
  staged[at + 3u * PARTS] = m[3];
}

// Four rows of either matrix in one vec4 column.
fn part_of_products(part: u32, what: u32, chunk: u32, row: u32, column: u32, head: u32, kv_head: u32) -> mat4x4f {
  let c = chunk * CHUNK + part % CHUNK;
  let quad = part / CHUNK;
  if (c >= HEAD4 || quad >= LINE) { return mat4x4f(); }
  if (quad < ROW_QUADS) {
    let i = row + 4u * quad;
    return mat4x4f(
      row_at(what, i, head, kv_head, c),
      row_at(what, i + 1u, head, kv_head, c),
      row_at(what, i + 2u, head, kv_head, c),
      row_at(what, i + 3u, head, kv_head, c),
    );
  }
  let i = column + 4u * (quad - ROW_QUADS);
  return mat4x4f(
    column_at(what, i, head, kv_head, c),
    column_at(what, i + 1u, head, kv_head, c),
    column_at(what, i + 2u, head, kv_head, c),
    column_at(what, i + 3u, head, kv_head, c),
  );
}

// The vec4 that lies `parts` PARTS behind number `i` of rows from `first` on that lie behind one another.
fn value(what: u32, first: u32, i: u32, parts: u32, head: u32, kv_head: u32) -> vec4f {
  // Where it lies in the same column, this is cheaper.
  if (PARTS % HEAD4 == 0u) {
    return value_at(what, first + i / HEAD4 + parts * (PARTS / HEAD4), head, kv_head, i % HEAD4);
  }
  let at = i + parts * PARTS;
  return value_at(what, first + at / HEAD4, head, kv_head, at % HEAD4);
}

fn part_of_values(i: u32, what: u32, first: u32, head: u32, kv_head: u32) -> mat4x4f {
  if (i >= PARTS) { return mat4x4f(); }
  return mat4x4f(
    value(what, first, i, 0u, head, kv_head),
    value(what, first, i, 1u, head, kv_head),
    value(what, first, i, 2u, head, kv_head),
    value(what, first, i, 3u, head, kv_head),
  );
}

// Both that follow begin with a barrier, but do not end with one.

// The tile of product `what`, rows `row` … by columns `column` …: column j of a matrix is the tile's column 4·tx + j.
fn products(what: u32, row: u32, column: u32, head: u32, kv_head: u32, lane: u32) -> Two {
  let tx = lane % TX;
  let quad = QUADS * ((lane / TX) % TY);
  var tile = Two();
  var next = Two();
  for (var chunk = 0u; ; chunk++) {
    // The next chunk sets out …
    if (chunk < CHUNKS) {
      next.a = part_of_products(lane, what, chunk, row, column, head, kv_head);
      if (PARTS > THREADS) { next.b = part_of_products(lane + THREADS, what, chunk, row, column, head, kv_head); }
    }
    // … the one that lies in workgroup memory is used up …
    if (chunk > 0u) {
      for (var c = 0u; c < CHUNK; c++) {
        // A line each, a number of each row.
        for (var i = 0u; i < 4u; i++) {
          let at = c * LINES + i * LINE;
          let b = staged[at + ROW_QUADS + tx];
          tile.a = add_outer(tile.a, staged[at + quad], b);
          if (QUADS > 1u) { tile.b = add_outer(tile.b, staged[at + quad + 1u], b); }
        }
      }
    }
    if (chunk == CHUNKS) { break; }
    workgroupBarrier();
    // … and the next takes its place.
    put_transposed(lane, next.a);
    if (PARTS > THREADS) { put_transposed(lane + THREADS, next.b); }
    workgroupBarrier();
  }
  return tile;
}

// The result plus the first `count` columns of the tile in `weights`, times the rows of `what` from `first` on.
fn add_values(wide: Wide, what: u32, first: u32, count: u32, head: u32, kv_head: u32, lane: u32) -> Wide {
  let tx = lane % TX;
  let quad = QUADS * ((lane / TX) % TY);
  var sum = wide;
  var next = Two();
  for (var at = 0u; ; at += VALUE_ROWS) {
    if (at < count) {
      next.a = part_of_values(lane, what, first + at, head, kv_head);
      if (PARTS > THREADS) { next.b = part_of_values(lane + THREADS, what, first + at, head, kv_head); }
    }
    if (at > 0u) {
      let before = at - VALUE_ROWS;
      let rows = min(VALUE_ROWS, count - before);
      for (var j = 0u; j < rows; j += 4u) {
        // Where four lines begin, as in weight_at. Tint leaves out the check of an index whose range it knows; it
        // looks through remainders and smaller-of, not through calls and xor.
        let four = ((before + j) / 4u) % TX;
        let a_at = 4u * four * ROW_QUADS + min(quad ^ (four % 8u), ROW_QUADS - 1u);
        let b_at = 4u * four * ROW_QUADS + min((quad + 1u) ^ (four % 8u), ROW_QUADS - 1u);
        let value = min(j, VALUE_ROWS - 4u) * HEAD4 + tx;
        for (var i = 0u; i < 4u; i++) {
          let a = weights[a_at + i * ROW_QUADS];
          let x0 = staged[value + i * HEAD4];
          sum.a0 = add_outer(sum.a0, x0, a);
          if (QUADS > 1u) { sum.b0 = add_outer(sum.b0, x0, weights[b_at + i * ROW_QUADS]); }
          if (HEAD4 > TX) {
            let x1 = staged[value + i * HEAD4 + TX];
            sum.a1 = add_outer(sum.a1, x1, a);
            if (QUADS > 1u) { sum.b1 = add_outer(sum.b1, x1, weights[b_at + i * ROW_QUADS]); }
          }
        }
      }
    }
    if (at >= count) { break; }
    workgroupBarrier();
    put_plain(lane, next.a);
    if (PARTS > THREADS) { put_plain(lane + THREADS, next.b); }
    workgroupBarrier();
  }
  return sum;
}

// Writes a thread's part of the tile where all can read it.
fn put_weights(ty: u32, tx: u32, tile: Two) {
  for (var j = 0u; j < 4u; j++) {
    weights[weight_at(4u * tx + j, tx, QUADS * ty)] = tile.a[j];
    if (QUADS > 1u) { weights[weight_at(4u * tx + j, tx, QUADS * ty + 1u)] = tile.b[j]; }
  }
}
