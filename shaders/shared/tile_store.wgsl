// Inside a function: writes a thread's sums: up to 8 rows from `row` on, THREADS_M apart, from `column` on. In a
// loop, which picks the sums by comparing: written out, the bounds, bias and residual of 64 numbers take longer to
// compile than the rest of the kernel.
// requires: store_row, row, column, a0, c0, THREADS_M, a1, c1, a2, c2, a3, c3, ROWS, a4, c4, a5, c5, a6, c6, a7, c7

for (var i = 0u; i < ROWS; i++) {
  var low = a0; var high = c0;
  if (i == 1u) { low = a1; high = c1; }
  if (i == 2u) { low = a2; high = c2; }
  if (i == 3u) { low = a3; high = c3; }
  if (i == 4u) { low = a4; high = c4; }
  if (i == 5u) { low = a5; high = c5; }
  if (i == 6u) { low = a6; high = c6; }
  if (i == 7u) { low = a7; high = c7; }
  store_row(row + i * THREADS_M, column, low, high);
}
