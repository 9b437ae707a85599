// c [rows, columns] = a [rows, depth]·b [depth, columns], f32 of any shape: v·A where dropout masks its sum with dy·W.
// 32 × 32 a workgroup of 64 threads, 4 × 4 a thread, chunks of 32 k.

struct Params { rows: u32, columns: u32, depth: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;

const THREADS = 64u;
const DEPTH = 32u;
const STRIDE = 9u;  // vec4 between k in workgroup memory, 8 in use

var<workgroup> tile_a: array<vec4f, DEPTH * STRIDE>;
var<workgroup> tile_b: array<vec4f, DEPTH * STRIDE>;

fn a_at(m: u32, k: u32) -> f32 {
  if (m < p.rows && k < p.depth) { return a[m * p.depth + k]; }
  return 0.0;
}

fn b_at(n: u32, k: u32) -> f32 {
  if (n < p.columns && k < p.depth) { return b[k * p.columns + n]; }
  return 0.0;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first_m = group.y * 32u;
  let first_n = group.x * 32u;
  let tx = lane % 8u;
  let ty = lane / 8u;
  var c0 = vec4f(); var c1 = vec4f(); var c2 = vec4f(); var c3 = vec4f();
  for (var first_k = 0u; first_k < p.depth; first_k += DEPTH) {
    workgroupBarrier();
    for (var i = lane; i < DEPTH * 8u; i += THREADS) {
      let ka = i % DEPTH;
      let qa = i / DEPTH;
      let m = first_m + qa * 4u;
      let k = first_k + ka;
      tile_a[ka * STRIDE + qa] = vec4f(a_at(m, k), a_at(m + 1u, k), a_at(m + 2u, k), a_at(m + 3u, k));
    }
    for (var i = lane; i < DEPTH * 8u; i += THREADS) {
      let kb = i / 8u;
      let qb = i % 8u;
      let n = first_n + qb * 4u;
      let k = first_k + kb;
      tile_b[kb * STRIDE + qb] = vec4f(b_at(n, k), b_at(n + 1u, k), b_at(n + 2u, k), b_at(n + 3u, k));
    }
    workgroupBarrier();
    for (var k = 0u; k < DEPTH; k++) {
      let x = tile_a[k * STRIDE + ty];
      let w = tile_b[k * STRIDE + tx];
      c0 += x.x * w; c1 += x.y * w; c2 += x.z * w; c3 += x.w * w;
    }
  }
  let sums = array<vec4f, 4>(c0, c1, c2, c3);
  for (var i = 0u; i < 4u; i++) {
    let m = first_m + ty * 4u + i;
    if (m >= p.rows) { return; }
    for (var j = 0u; j < 4u; j++) {
      let n = first_n + tx * 4u + j;
      if (n >= p.columns) { break; }
      c[m * p.columns + n] = sums[i][j];
    }
  }
}
