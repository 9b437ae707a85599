// The left tile of a product on subgroup matrices: the activations of a chunk of 32 of the inner dimension, TILE_M
// rows in f16. Each subgroup makes 2 × 4 matrices of sums, of M × N each, and has two left matrices of M rows;
// SUBGROUPS_M × SUBGROUPS_N subgroups share the tiles of a workgroup. A thread brings QUADS vec4 of each chunk, eight
// to a row.
// requires: M, SUBGROUPS_M, SUBGROUP_SIZE, SUBGROUPS_N, put_left, put_right, N

const CHUNK = 32u;
const TILE_M = 2u * u32(M) * SUBGROUPS_M;
const THREADS = SUBGROUP_SIZE * SUBGROUPS_M * SUBGROUPS_N;
const QUADS = TILE_M * 8u / THREADS;
// Halves between rows of the tile, 32 in use; 80 bytes keep sixteen rows off each other's banks.
const STRIDE_LEFT = 40u;
// Halves in the tile.
const LEFT = TILE_M * STRIDE_LEFT;

// Rows of eight in the order 0 4 1 5 2 6 3 7: two that follow each other lie in different banks of both tiles, so
// that lanes which store at once do not wait for each other.
fn scattered(i: u32) -> u32 { return (i & ~7u) | ((i >> 1u) & 3u) | ((i & 1u) << 2u); }

// The row that quad i of the chunk belongs to.
fn left_row(i: u32) -> u32 { return scattered(i / 8u); }

// Puts quad i of the chunk in its place.
fn put_quad(i: u32, value: vec4f) { put_left(left_row(i) * STRIDE_LEFT + (i % 8u) * 4u, vec4<f16>(value)); }

// Puts eight numbers of the right tile, which a thread brings as number i, at `at`. Of sixteen lanes, half store
// their last four first: the others' banks.
fn put_eight(i: u32, at: u32, low: vec4f, high: vec4f) {
  let last_first = (i / 8u) % 2u == 1u;
  let other = select(0u, 4u, last_first);
  put_right(at + other, vec4<f16>(select(low, high, last_first)));
  put_right(at + 4u - other, vec4<f16>(select(high, low, last_first)));
}

// A matrix of sums of each subgroup, on its way out.
var<workgroup> sums: array<f32, u32(M) * u32(N) * SUBGROUPS_M * SUBGROUPS_N>;
