// Inside a function, behind tile_multiply: the same for the third and the fourth vec4 of eight rows.
// requires: COLUMNS, w_at, w_next, w0, w1, w2, w3, tile_w, w_step, mac, l0, l1, l2, l3, l4, l5, l6, l7
// requires: d0, d1, d2, d3, d4, d5, d6, d7, e0, e1, e2, e3, e4, e5, e6, e7

if (COLUMNS > 8u) {
  let third_at = w_at + 2u * w_next;
  w0 = tile_w[third_at]; w1 = tile_w[third_at + w_step];
  w2 = tile_w[third_at + 2u * w_step]; w3 = tile_w[third_at + 3u * w_step];
  d0 = mac(d0, l0, w0, w1, w2, w3); d1 = mac(d1, l1, w0, w1, w2, w3);
  d2 = mac(d2, l2, w0, w1, w2, w3); d3 = mac(d3, l3, w0, w1, w2, w3);
  d4 = mac(d4, l4, w0, w1, w2, w3); d5 = mac(d5, l5, w0, w1, w2, w3);
  d6 = mac(d6, l6, w0, w1, w2, w3); d7 = mac(d7, l7, w0, w1, w2, w3);
  let fourth_at = w_at + 3u * w_next;
  w0 = tile_w[fourth_at]; w1 = tile_w[fourth_at + w_step];
  w2 = tile_w[fourth_at + 2u * w_step]; w3 = tile_w[fourth_at + 3u * w_step];
  e0 = mac(e0, l0, w0, w1, w2, w3); e1 = mac(e1, l1, w0, w1, w2, w3);
  e2 = mac(e2, l2, w0, w1, w2, w3); e3 = mac(e3, l3, w0, w1, w2, w3);
  e4 = mac(e4, l4, w0, w1, w2, w3); e5 = mac(e5, l5, w0, w1, w2, w3);
  e6 = mac(e6, l6, w0, w1, w2, w3); e7 = mac(e7, l7, w0, w1, w2, w3);
}
