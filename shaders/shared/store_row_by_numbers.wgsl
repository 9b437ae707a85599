// Writes a row of a thread's sums of a tile in f32: four or eight numbers, THREADS_N apart.
// requires: p.rows, store, THREADS_N, COLUMNS

fn store_row(m: u32, n: u32, v: vec4f, w: vec4f) {
  if (m >= p.rows) { return; }
  store(m, n, v.x);
  store(m, n + THREADS_N, v.y);
  store(m, n + 2u * THREADS_N, v.z);
  store(m, n + 3u * THREADS_N, v.w);
  if (COLUMNS > 4u) {
    store(m, n + 4u * THREADS_N, w.x);
    store(m, n + 5u * THREADS_N, w.y);
    store(m, n + 6u * THREADS_N, w.z);
    store(m, n + 7u * THREADS_N, w.w);
  }
}
