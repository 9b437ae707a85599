// partial[slice, m, k] = Σn dlogits[m, first + n]·table[n, k] over the slice's share of the table's rows. The
// vocabulary is the long axis here and the output is small, so it is cut into slices that sum_slices adds up in a
// fixed order. Tiles as in nf4_matmul_grad.
// Beside this text stands table_decode.

struct Params { rows: u32, columns: u32, depth: u32, first: u32, stride: u32, first_slice: u32, slice_columns: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> dlogits: array<f32>;
@group(0) @binding(2) var<storage, read> table: array<vec4u>;
@group(0) @binding(3) var<storage, read_write> partial: array<vec4f>;

const THREADS = 128u;
const TILE_M = 64u;
const STRIDE_Y = 5u;
const STRIDE_W = 33u;

var<workgroup> tile_y: array<vec4f, TILE_M * STRIDE_Y>;
var<workgroup> tile_w: array<vec4f, 16u * STRIDE_W>;

fn dlogit(m: u32, n: u32, end: u32) -> f32 {
  if (m < p.rows && n < end) { return dlogits[m * p.stride + p.first + n]; }
  return 0.0;
}

fn load(first_m: u32, first_k: u32, first_n: u32, end: u32, lane: u32) {
  for (var i = lane; i < TILE_M * 4u; i += THREADS) {
    let m = first_m + i / 4u;
    let n = first_n + (i % 4u) * 4u;
    tile_y[(i / 4u) * STRIDE_Y + i % 4u] =
      vec4f(dlogit(m, n, end), dlogit(m, n + 1u, end), dlogit(m, n + 2u, end), dlogit(m, n + 3u, end));
  }
  if (FORMAT == 2u) {
    for (var i = lane; i < 16u * 32u; i += THREADS) {
      let n = first_n + i / 32u;
      let k = first_k + (i % 32u) * 4u;
      var v = vec4u();
      if (n < end && k < p.depth) { v = table[(n * p.depth + k) / 4u]; }
      tile_w[(i / 32u) * STRIDE_W + i % 32u] = bitcast<vec4f>(v);
    }
  } else {
    for (var i = lane; i < 16u * 16u; i += THREADS) {
      let n = first_n + i / 16u;
      let k = first_k + (i % 16u) * 8u;
      var v = vec4u();
      if (n < end && k < p.depth) { v = table[(n * p.depth + k) / 8u]; }
      let at = (i / 16u) * STRIDE_W + (i % 16u) * 2u;
      tile_w[at] = vec4f(halves(v.x), halves(v.y));
      tile_w[at + 1u] = vec4f(halves(v.z), halves(v.w));
    }
  }
}

// c + the products of four dlogits with four rows of the table: one fused multiply-add each.
fn mac(c: vec4f, y: vec4f, w: mat4x4f) -> vec4f {
  return fma(w[3], vec4f(y.w), fma(w[2], vec4f(y.z), fma(w[1], vec4f(y.y), fma(w[0], vec4f(y.x), c))));
}

fn store(m: u32, k: u32, slice: u32, value: vec4f) {
  if (m < p.rows && k < p.depth) { partial[((slice * p.rows + m) * p.depth + k) / 4u] = value; }
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first_m = group.y * TILE_M;
  let first_k = group.x * 128u;
  let begin = group.z * p.slice_columns;
  let end = min(begin + p.slice_columns, p.columns);
  let tx = lane % 16u;
  let ty = lane / 16u;
  var a0 = vec4f(); var a1 = vec4f(); var a2 = vec4f(); var a3 = vec4f();
  var a4 = vec4f(); var a5 = vec4f(); var a6 = vec4f(); var a7 = vec4f();
  var c0 = vec4f(); var c1 = vec4f(); var c2 = vec4f(); var c3 = vec4f();
  var c4 = vec4f(); var c5 = vec4f(); var c6 = vec4f(); var c7 = vec4f();
  for (var first_n = begin; first_n < end; first_n += 16u) {
    workgroupBarrier();
    load(first_m, first_k, first_n, end, lane);
    workgroupBarrier();
    for (var n = 0u; n < 4u; n++) {
      let ys = ty * STRIDE_Y + n;
      let y0 = tile_y[ys]; let y1 = tile_y[ys + 8u * STRIDE_Y];
      let y2 = tile_y[ys + 16u * STRIDE_Y]; let y3 = tile_y[ys + 24u * STRIDE_Y];
      let y4 = tile_y[ys + 32u * STRIDE_Y]; let y5 = tile_y[ys + 40u * STRIDE_Y];
      let y6 = tile_y[ys + 48u * STRIDE_Y]; let y7 = tile_y[ys + 56u * STRIDE_Y];
      let ws = 4u * n * STRIDE_W + tx;
      let w0 = mat4x4f(tile_w[ws], tile_w[ws + STRIDE_W], tile_w[ws + 2u * STRIDE_W], tile_w[ws + 3u * STRIDE_W]);
      a0 = mac(a0, y0, w0); a1 = mac(a1, y1, w0); a2 = mac(a2, y2, w0); a3 = mac(a3, y3, w0);
      a4 = mac(a4, y4, w0); a5 = mac(a5, y5, w0); a6 = mac(a6, y6, w0); a7 = mac(a7, y7, w0);
      let wt = ws + 16u;
      let w1 = mat4x4f(tile_w[wt], tile_w[wt + STRIDE_W], tile_w[wt + 2u * STRIDE_W], tile_w[wt + 3u * STRIDE_W]);
      c0 = mac(c0, y0, w1); c1 = mac(c1, y1, w1); c2 = mac(c2, y2, w1); c3 = mac(c3, y3, w1);
      c4 = mac(c4, y4, w1); c5 = mac(c5, y5, w1); c6 = mac(c6, y6, w1); c7 = mac(c7, y7, w1);
    }
  }
  let m = first_m + ty;
  let k = first_k + tx * 4u;
  let s = p.first_slice + group.z;
  store(m, k, s, a0); store(m + 8u, k, s, a1); store(m + 16u, k, s, a2); store(m + 24u, k, s, a3);
  store(m + 32u, k, s, a4); store(m + 40u, k, s, a5); store(m + 48u, k, s, a6); store(m + 56u, k, s, a7);
  store(m, k + 64u, s, c0); store(m + 8u, k + 64u, s, c1); store(m + 16u, k + 64u, s, c2); store(m + 24u, k + 64u, s, c3);
  store(m + 32u, k + 64u, s, c4); store(m + 40u, k + 64u, s, c5); store(m + 48u, k + 64u, s, c6); store(m + 56u, k + 64u, s, c7);
}
