// dx[m, k] += mask·scale·Σr v[m, r]·a[r, k]: the gradient of a LoRA module's masked input, added to what is there.
// The product is made tile by tile and never stored by itself, so what counts is that dx is read and written once.
// One workgroup per 64 rows × 64 k, 8 × 4 a thread, chunks of 16 ranks.
// Reference: E. J. Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", arXiv:2106.09685.

struct Params {
  rows: u32,
  width: u32,  // of dx, in vec4 of k
  rank: u32,
  module_key: u32,
  threshold: u32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
// v, [rows, rank].
@group(0) @binding(1) var<storage, read> activations: array<f32>;
@group(0) @binding(2) var<storage, read> a: array<vec4f>;
@group(0) @binding(3) var<storage, read> token_keys: array<vec2u>;
@group(0) @binding(4) var<storage, read_write> dx: array<vec4f>;

const THREADS = 128u;
const TILE = 16u;  // quads of rows, and of k
const CHUNK = 16u;

// Four rows of one rank, [quad of rows][rank]; four k of one rank, [rank][quad of k].
var<workgroup> tile_v: array<vec4f, TILE * CHUNK>;
var<workgroup> tile_a: array<vec4f, CHUNK * TILE>;

#include "shared/lora_activations.wgsl"

fn a_at(r: u32, k: u32) -> vec4f {
  if (r < p.rank && k < p.width) { return a[r * p.width + k]; }
  return vec4f();
}

fn add(m: u32, k: u32, sum: vec4f) {
  if (m >= p.rows || k >= p.width) { return; }
  dx[m * p.width + k] += dropped(sum, m, 4u * k, p.module_key);
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first_m = group.y * 4u * TILE;
  let first_k = group.x * TILE;
  // A thread makes the row quads ty and ty + 8 of the k quad tx; neighbors read and write neighboring addresses.
  let tx = lane % TILE;
  let ty = lane / TILE;
  var c0 = vec4f(); var c1 = vec4f(); var c2 = vec4f(); var c3 = vec4f();
  var c4 = vec4f(); var c5 = vec4f(); var c6 = vec4f(); var c7 = vec4f();
  for (var first_r = 0u; first_r < p.rank; first_r += CHUNK) {
    workgroupBarrier();
    for (var i = lane; i < TILE * CHUNK; i += THREADS) {
      let m = first_m + 4u * (i / CHUNK);
      let r = first_r + i % CHUNK;
      tile_v[i] = vec4f(activation(m, r), activation(m + 1u, r), activation(m + 2u, r), activation(m + 3u, r));
      tile_a[i] = a_at(first_r + i / TILE, first_k + i % TILE);
    }
    workgroupBarrier();
    let depth = min(CHUNK, p.rank - first_r);
    for (var r = 0u; r < depth; r++) {
      let w = tile_a[r * TILE + tx];
      let x = tile_v[ty * CHUNK + r];
      let y = tile_v[(ty + 8u) * CHUNK + r];
      c0 += x.x * w; c1 += x.y * w; c2 += x.z * w; c3 += x.w * w;
      c4 += y.x * w; c5 += y.y * w; c6 += y.z * w; c7 += y.w * w;
    }
  }
  let m = first_m + 4u * ty;
  let k = first_k + tx;
  add(m, k, c0); add(m + 1u, k, c1); add(m + 2u, k, c2); add(m + 3u, k, c3);
  add(m + 32u, k, c4); add(m + 33u, k, c5); add(m + 34u, k, c6); add(m + 35u, k, c7);
}

#include "lora/dropout.wgsl"
