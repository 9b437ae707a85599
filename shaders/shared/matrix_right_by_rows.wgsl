// The right tile of a product on subgroup matrices whose weights are read across: CHUNK rows of TILE_N of their
// columns.
// requires: N, SUBGROUPS_N, CHUNK, Right, load_right_by_rows

const TILE_N = 4u * u32(N) * SUBGROUPS_N;
// Halves between rows of a tile; the last 8 are there to keep rows off each other's banks.
const STRIDE_RIGHT = TILE_N + 8u;
const RIGHT = CHUNK * STRIDE_RIGHT;

// The matrix of columns n … of the output and of the inner dimension from k on.
fn right_at(n: u32, k: u32) -> Right { return load_right_by_rows(k * STRIDE_RIGHT + n); }
