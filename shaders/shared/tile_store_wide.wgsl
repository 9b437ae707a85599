// Inside a function, behind tile_store: the same for the sums of tile_sums_wide, `wide` columns further on.
// requires: COLUMNS, ROWS, store_row, row, column, wide, THREADS_M, d0, e0, d1, e1, d2, e2, d3, e3, d4, e4, d5, e5
// requires: d6, e6, d7, e7

if (COLUMNS > 8u) {
  for (var i = 0u; i < ROWS; i++) {
    var low = d0; var high = e0;
    if (i == 1u) { low = d1; high = e1; }
    if (i == 2u) { low = d2; high = e2; }
    if (i == 3u) { low = d3; high = e3; }
    if (i == 4u) { low = d4; high = e4; }
    if (i == 5u) { low = d5; high = e5; }
    if (i == 6u) { low = d6; high = e6; }
    if (i == 7u) { low = d7; high = e7; }
    store_row(row + i * THREADS_M, column + wide, low, high);
  }
}
