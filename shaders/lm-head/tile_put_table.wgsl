// Inside a function: puts what a thread brings of the table in its place, stride_n rows apart.
// requires: put, load_n, word, t0, PER_W, stride_n, t1, t2, t3

put(load_n, word, t0);
if (PER_W > 1u) { put(load_n + stride_n, word, t1); }
if (PER_W > 2u) { put(load_n + 2u * stride_n, word, t2); put(load_n + 3u * stride_n, word, t3); }
