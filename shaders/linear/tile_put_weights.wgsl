// Inside a function: puts the weights that tile_fetch_weights sent for in their place, as numbers.
// requires: STORED, tile_w, put_at, decode4, word, scale, PER_W, halves4, dense0, dense1, dense2, dense3

if (STORED == 0u) {
  tile_w[put_at] = decode4(word.x, scale);
  if (PER_W > 1u) { tile_w[put_at + 1u] = decode4(word.x >> 16u, scale); }
  if (PER_W > 2u) {
    tile_w[put_at + 2u] = decode4(word.y, scale);
    tile_w[put_at + 3u] = decode4(word.y >> 16u, scale);
  }
} else {
  tile_w[put_at] = halves4(dense0);
  if (PER_W > 1u) { tile_w[put_at + 1u] = halves4(dense1); }
  if (PER_W > 2u) { tile_w[put_at + 2u] = halves4(dense2); tile_w[put_at + 3u] = halves4(dense3); }
}
