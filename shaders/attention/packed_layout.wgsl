// Where attention's operands lie that attention_pack has packed by tile: blocks of EDGE rows, each of
// HEAD_DIM / EDGE tiles of the high halves and, where they are kept, as many of the low ones. A tile has EDGE rows of
// EDGE numbers, or EDGE columns where it is packed for sums over rows. Matrices of any shape are parts of tiles. All
// offsets count halves.
// requires: HEAD_DIM

const EDGE = 16u;
const TILE = EDGE * EDGE;
// The high or the low halves of a block, and both.
const PART = EDGE * HEAD_DIM;
const BLOCK = 2u * PART;
