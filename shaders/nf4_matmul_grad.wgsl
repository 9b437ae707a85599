// dx[m, k] (+)= Σn dy[m, n]·w[n, k] + Σr v[m, r]·a[r, k]: the gradient of nf4_matmul with respect to its input.
//
// The same weight layout as nf4_matmul, read along n. A workgroup of 128 threads makes a tile of 64 rows × 128 k,
// 8 × 8 a thread, over chunks of 16 n; each weight is decoded once per tile. LoRA is more chunks.

struct Params {
  rows: u32, columns: u32, depth: u32, rank: u32,
  accumulate: u32,
  absmax_at: u32, map_at: u32, nested_shift: u32, offset: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> dy: array<vec4f>;
@group(0) @binding(2) var<storage, read> codes: array<vec2u>;
@group(0) @binding(3) var<storage, read> scales: array<u32>;
@group(0) @binding(4) var<storage, read> v: array<f32>;
@group(0) @binding(5) var<storage, read> a: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> dx: array<vec4f>;

// True where the scales are themselves 8-bit codes (double quantisation).
override NESTED: bool = false;

const THREADS = 128u;
const TILE_M = 64u;
const STRIDE_Y = 5u;   // vec4 between rows of the dy tile, 4 in use
const STRIDE_W = 33u;  // vec4 between rows of the weight tile, 32 in use

var<workgroup> tile_y: array<vec4f, TILE_M * STRIDE_Y>;
var<workgroup> tile_w: array<vec4f, 16u * STRIDE_W>;
var<workgroup> book: array<f32, 16>;

const NF4 = array<f32, 16>(
  -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
  -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634,
  0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0);

fn scale_of(block: u32) -> f32 {
  if (!NESTED) { return bitcast<f32>(scales[block]); }
  let code = (scales[block >> 2u] >> (8u * (block & 3u))) & 255u;
  return bitcast<f32>(scales[p.map_at + code]) * bitcast<f32>(scales[p.absmax_at + (block >> p.nested_shift)]) + p.offset;
}

fn decode4(word: u32, scale: f32) -> vec4f {
  return vec4f(book[word & 15u], book[(word >> 4u) & 15u], book[(word >> 8u) & 15u], book[(word >> 12u) & 15u]) * scale;
}

fn v_at(m: u32, r: u32) -> f32 {
  if (m < p.rows && r < p.rank) { return v[m * p.rank + r]; }
  return 0.0;
}

fn load_weights(first_m: u32, first_k: u32, first_n: u32, lane: u32) {
  for (var i = lane; i < TILE_M * 4u; i += THREADS) {
    let m = first_m + i / 4u;
    let n = first_n + (i % 4u) * 4u;
    var value = vec4f();
    if (m < p.rows && n < p.columns) { value = dy[(m * p.columns + n) / 4u]; }
    tile_y[(i / 4u) * STRIDE_Y + i % 4u] = value;
  }
  let n = first_n + lane % 16u;
  let k = first_k + (lane / 16u) * 16u;
  var word = vec2u(0x77777777u);
  var scale = 0.0;
  if (n < p.columns && k < p.depth) {
    word = codes[((k / 32u) * p.columns + n) * 2u + (k / 16u) % 2u];
    scale = scale_of((n * p.depth + k) / 64u);
  }
  let at = (lane % 16u) * STRIDE_W + (lane / 16u) * 4u;
  tile_w[at] = decode4(word.x, scale);
  tile_w[at + 1u] = decode4(word.x >> 16u, scale);
  tile_w[at + 2u] = decode4(word.y, scale);
  tile_w[at + 3u] = decode4(word.y >> 16u, scale);
}

fn load_lora(first_m: u32, first_k: u32, first_r: u32, lane: u32) {
  for (var i = lane; i < TILE_M * 4u; i += THREADS) {
    let m = first_m + i / 4u;
    let r = first_r + (i % 4u) * 4u;
    tile_y[(i / 4u) * STRIDE_Y + i % 4u] = vec4f(v_at(m, r), v_at(m, r + 1u), v_at(m, r + 2u), v_at(m, r + 3u));
  }
  for (var i = lane; i < 16u * 32u; i += THREADS) {
    let r = first_r + i / 32u;
    let k = first_k + (i % 32u) * 4u;
    var value = vec4f();
    if (r < p.rank && k < p.depth) { value = a[(r * p.depth + k) / 4u]; }
    tile_w[(i / 32u) * STRIDE_W + i % 32u] = value;
  }
}

fn store(m: u32, k: u32, value: vec4f) {
  if (m >= p.rows || k >= p.depth) { return; }
  let at = (m * p.depth + k) / 4u;
  if (p.accumulate != 0u) { dx[at] += value; } else { dx[at] = value; }
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first_m = group.y * TILE_M;
  let first_k = group.x * 128u;
  if (lane < 16u) { book[lane] = NF4[lane]; }
  // A thread makes rows ty + 8i and the vec4 columns tx and tx + 16.
  let tx = lane % 16u;
  let ty = lane / 16u;
  var a0 = vec4f(); var a1 = vec4f(); var a2 = vec4f(); var a3 = vec4f();
  var a4 = vec4f(); var a5 = vec4f(); var a6 = vec4f(); var a7 = vec4f();
  var c0 = vec4f(); var c1 = vec4f(); var c2 = vec4f(); var c3 = vec4f();
  var c4 = vec4f(); var c5 = vec4f(); var c6 = vec4f(); var c7 = vec4f();
  let chunks = (p.columns + 15u) / 16u;
  let all = chunks + (p.rank + 15u) / 16u;
  for (var chunk = 0u; chunk < all; chunk++) {
    workgroupBarrier();
    if (chunk < chunks) { load_weights(first_m, first_k, chunk * 16u, lane); }
    else { load_lora(first_m, first_k, (chunk - chunks) * 16u, lane); }
    workgroupBarrier();
    for (var n = 0u; n < 4u; n++) {
      let ys = ty * STRIDE_Y + n;
      let y0 = tile_y[ys]; let y1 = tile_y[ys + 8u * STRIDE_Y];
      let y2 = tile_y[ys + 16u * STRIDE_Y]; let y3 = tile_y[ys + 24u * STRIDE_Y];
      let y4 = tile_y[ys + 32u * STRIDE_Y]; let y5 = tile_y[ys + 40u * STRIDE_Y];
      let y6 = tile_y[ys + 48u * STRIDE_Y]; let y7 = tile_y[ys + 56u * STRIDE_Y];
      let ws = 4u * n * STRIDE_W + tx;
      let w0 = mat4x4f(tile_w[ws], tile_w[ws + STRIDE_W], tile_w[ws + 2u * STRIDE_W], tile_w[ws + 3u * STRIDE_W]);
      a0 += w0 * y0; a1 += w0 * y1; a2 += w0 * y2; a3 += w0 * y3;
      a4 += w0 * y4; a5 += w0 * y5; a6 += w0 * y6; a7 += w0 * y7;
      let wt = ws + 16u;
      let w1 = mat4x4f(tile_w[wt], tile_w[wt + STRIDE_W], tile_w[wt + 2u * STRIDE_W], tile_w[wt + 3u * STRIDE_W]);
      c0 += w1 * y0; c1 += w1 * y1; c2 += w1 * y2; c3 += w1 * y3;
      c4 += w1 * y4; c5 += w1 * y5; c6 += w1 * y6; c7 += w1 * y7;
    }
  }
  let m = first_m + ty;
  let k = first_k + tx * 4u;
  store(m, k, a0); store(m + 8u, k, a1); store(m + 16u, k, a2); store(m + 24u, k, a3);
  store(m + 32u, k, a4); store(m + 40u, k, a5); store(m + 48u, k, a6); store(m + 56u, k, a7);
  store(m, k + 64u, c0); store(m + 8u, k + 64u, c1); store(m + 16u, k + 64u, c2); store(m + 24u, k + 64u, c3);
  store(m + 32u, k + 64u, c4); store(m + 40u, k + 64u, c5); store(m + 48u, k + 64u, c6); store(m + 56u, k + 64u, c7);
}
