// Inside a function: adds the products of vec4 `left_at` of up to 8 rows of the left tile, THREADS_M apart, with four
// or eight vec4 of the weights' tile: from w_at on, w_step apart, and four more from w_at + w_next on.
// requires: THREADS_M, CHUNK, tile_left, left_at, ROWS, tile_w, w_at, w_step, a0, mac, a1, a2, a3, a4, a5, a6, a7
// requires: COLUMNS, w_next, c0, c1, c2, c3, c4, c5, c6, c7

let step = THREADS_M * CHUNK;
let l0 = tile_left[left_at]; let l1 = tile_left[left_at + step];
let l2 = tile_left[left_at + 2u * step]; let l3 = tile_left[left_at + 3u * step];
var l4 = vec4f(); var l5 = vec4f(); var l6 = vec4f(); var l7 = vec4f();
if (ROWS > 4u) {
  l4 = tile_left[left_at + 4u * step]; l5 = tile_left[left_at + 5u * step];
  l6 = tile_left[left_at + 6u * step]; l7 = tile_left[left_at + 7u * step];
}
var w0 = tile_w[w_at]; var w1 = tile_w[w_at + w_step];
var w2 = tile_w[w_at + 2u * w_step]; var w3 = tile_w[w_at + 3u * w_step];
a0 = mac(a0, l0, w0, w1, w2, w3); a1 = mac(a1, l1, w0, w1, w2, w3);
a2 = mac(a2, l2, w0, w1, w2, w3); a3 = mac(a3, l3, w0, w1, w2, w3);
if (ROWS > 4u) {
  a4 = mac(a4, l4, w0, w1, w2, w3); a5 = mac(a5, l5, w0, w1, w2, w3);
  a6 = mac(a6, l6, w0, w1, w2, w3); a7 = mac(a7, l7, w0, w1, w2, w3);
}
if (COLUMNS > 4u) {
  let more_at = w_at + w_next;
  w0 = tile_w[more_at]; w1 = tile_w[more_at + w_step];
  w2 = tile_w[more_at + 2u * w_step]; w3 = tile_w[more_at + 3u * w_step];
  c0 = mac(c0, l0, w0, w1, w2, w3); c1 = mac(c1, l1, w0, w1, w2, w3);
  c2 = mac(c2, l2, w0, w1, w2, w3); c3 = mac(c3, l3, w0, w1, w2, w3);
  if (ROWS > 4u) {
    c4 = mac(c4, l4, w0, w1, w2, w3); c5 = mac(c5, l5, w0, w1, w2, w3);
    c6 = mac(c6, l6, w0, w1, w2, w3); c7 = mac(c7, l7, w0, w1, w2, w3);
  }
}
