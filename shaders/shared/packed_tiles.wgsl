// Where the numbers of a right operand lie that is packed by tile: [output columns, inner dimension].
// requires: N, K

// Columns of a right tile, and halves of each: one or several right matrices.
const EDGE = max(u32(N), u32(K));

// Of column n and number k of the inner dimension, `across` tiles long.
fn packed_at(n: u32, k: u32, across: u32) -> u32 {
  return ((n / EDGE) * across + k / EDGE) * EDGE * EDGE + (n % EDGE) * EDGE + k % EDGE;
}
