// Inside a function: sends for PER_W vec4 of row n of the weights from column from_k on, as they are stored.
// requires: STORED, word, codes, from_k, p.out_features, n, PER_W, scale, scale_of, p.in_features, dense0, dense1
// requires: dense2, dense3

if (STORED == 0u) {
  word = codes[((from_k / 32u) * p.out_features + n) * 2u + (from_k / 16u) % 2u];
  if (PER_W < 4u) { word.x = select(word.x, word.y, (from_k / 8u) % 2u == 1u); }
  if (PER_W < 2u) { word.x = word.x >> (4u * (from_k % 8u)); }
  scale = scale_of((n * p.in_features + from_k) / 64u);
} else {
  let at = (n * p.in_features + from_k) / 4u;
  dense0 = codes[at];
  if (PER_W > 1u) { dense1 = codes[at + 1u]; }
  if (PER_W > 2u) { dense2 = codes[at + 2u]; dense3 = codes[at + 3u]; }
}
