// Inside a function: adds the slices' sums, one slice after the other, into the first's, by way of the weights' tile.
// requires: SLICES, slice, tile_w, place, a0, GRID, a1, a2, a3, ROWS, a4, a5, a6, a7, COLUMNS, c0, c1, c2, c3, c4, c5
// requires: c6, c7

for (var s = 1u; s < SLICES; s++) {
  if (slice == s) {
    tile_w[place] = a0; tile_w[place + GRID] = a1; tile_w[place + 2u * GRID] = a2; tile_w[place + 3u * GRID] = a3;
    if (ROWS > 4u) {
      tile_w[place + 4u * GRID] = a4; tile_w[place + 5u * GRID] = a5;
      tile_w[place + 6u * GRID] = a6; tile_w[place + 7u * GRID] = a7;
    }
    if (COLUMNS > 4u) {
      tile_w[place + 8u * GRID] = c0; tile_w[place + 9u * GRID] = c1;
      tile_w[place + 10u * GRID] = c2; tile_w[place + 11u * GRID] = c3;
    }
    if (ROWS > 4u && COLUMNS > 4u) {
      tile_w[place + 12u * GRID] = c4; tile_w[place + 13u * GRID] = c5;
      tile_w[place + 14u * GRID] = c6; tile_w[place + 15u * GRID] = c7;
    }
  }
  workgroupBarrier();
  if (slice == 0u) {
    a0 += tile_w[place]; a1 += tile_w[place + GRID]; a2 += tile_w[place + 2u * GRID]; a3 += tile_w[place + 3u * GRID];
    if (ROWS > 4u) {
      a4 += tile_w[place + 4u * GRID]; a5 += tile_w[place + 5u * GRID];
      a6 += tile_w[place + 6u * GRID]; a7 += tile_w[place + 7u * GRID];
    }
    if (COLUMNS > 4u) {
      c0 += tile_w[place + 8u * GRID]; c1 += tile_w[place + 9u * GRID];
      c2 += tile_w[place + 10u * GRID]; c3 += tile_w[place + 11u * GRID];
    }
    if (ROWS > 4u && COLUMNS > 4u) {
      c4 += tile_w[place + 12u * GRID]; c5 += tile_w[place + 13u * GRID];
      c6 += tile_w[place + 14u * GRID]; c7 += tile_w[place + 15u * GRID];
    }
  }
  workgroupBarrier();
}
if (slice > 0u) { return; }
