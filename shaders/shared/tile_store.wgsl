// Inside a function: writes a thread's sums: up to 8 rows from `row` on, THREADS_M apart, from `column` on.
// requires: store_row, row, column, a0, c0, THREADS_M, a1, c1, a2, c2, a3, c3, ROWS, a4, c4, a5, c5, a6, c6, a7, c7

store_row(row, column, a0, c0); store_row(row + THREADS_M, column, a1, c1);
store_row(row + 2u * THREADS_M, column, a2, c2); store_row(row + 3u * THREADS_M, column, a3, c3);
if (ROWS > 4u) {
  store_row(row + 4u * THREADS_M, column, a4, c4); store_row(row + 5u * THREADS_M, column, a5, c5);
  store_row(row + 6u * THREADS_M, column, a6, c6); store_row(row + 7u * THREADS_M, column, a7, c7);
}
