// Writes a row of a thread's sums of a tile in f32: four or eight numbers, THREADS_N apart.
// requires: p.rows, store, THREADS_N, COLUMNS

fn store_row(m: u32, n: u32, v: vec4f, w: vec4f) {
  if (m >= p.rows) { return; }
  for (var j = 0u; j < min(COLUMNS, 8u); j++) { store(m, n + j * THREADS_N, select(v, w, j > 3u)[j % 4u]); }
}
