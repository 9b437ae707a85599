// Writes a row of a thread's sums of a tile in f32: four or eight numbers, THREADS_N apart. `finished` makes elements
// of the output of four sums, with whatever it reads for that; `store` writes one that is in range. What it reads is
// read before anything is written, so that the loads wait together.
// requires: p.rows, finished, store, THREADS_N, COLUMNS

fn store_row(m: u32, n: u32, v: vec4f, w: vec4f) {
  if (m >= p.rows) { return; }
  let columns = n + THREADS_N * vec4u(0u, 1u, 2u, 3u);
  let low = finished(m, columns, v);
  if (COLUMNS > 4u) {
    let high = finished(m, columns + 4u * THREADS_N, w);
    for (var j = 0u; j < 4u; j++) { store(m, columns[j] + 4u * THREADS_N, high[j]); }
  }
  for (var j = 0u; j < 4u; j++) { store(m, columns[j], low[j]); }
}
