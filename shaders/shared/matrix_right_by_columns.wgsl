// The right tile of a product on subgroup matrices whose weights are read along the inner dimension: TILE_N rows of
// them.
// requires: N, SUBGROUPS_N, Right, load_right_by_columns

const TILE_N = 4u * u32(N) * SUBGROUPS_N;
// Halves between rows of a tile, 32 in use; 80 bytes keep sixteen rows off each other's banks.
const STRIDE_RIGHT = 40u;
const RIGHT = TILE_N * STRIDE_RIGHT;

// The matrix of columns n … of the output and of the inner dimension from k on.
fn right_at(n: u32, k: u32) -> Right { return load_right_by_columns(n * STRIDE_RIGHT + k); }
