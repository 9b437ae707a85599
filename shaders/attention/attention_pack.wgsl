// Packs q, k, v and do [tokens, heads, HEAD_DIM], or some of them, for attention on subgroup matrices: f16 tiles as
// packed_layout has them, of the key heads from `first` on.
//
// Rows are the `group` heads that share a key head beside one another, token by token; behind the last are zeros.
// Each block of rows is divided by a power of two of its own and split in a high and a low half of f16, since a
// score of several hundred must be right to a thousandth: high·high + high·low + low·high is as good as f32.
// One workgroup per block (x), key head (y) and operand (z).
// Reference: H. Ootomo, R. Yokota, "Recovering single precision accuracy from Tensor Cores while surpassing the
// FP32 theoretical peak performance" (three products of halves).
// requires: HEAD_DIM from headDimText

struct Part {
  heads: u32, group: u32, blocks: u32,
  // Where the tiles of rows, those for sums over rows and the blocks' scales go.
  tiles_at: u32, columns_at: u32, scales_at: u32,
  // Tiles of rows, if 1; how many halves of the tiles for sums over rows.
  natural: u32, columns: u32,
}

struct Params { parts: array<Part, 4>, tokens: u32, first: u32 }

// Whether the last part is do, with which goes what attention's gradients need of a query's row.
override STATS: bool = false;

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x0: array<vec4f>;
@group(0) @binding(2) var<storage, read> x1: array<vec4f>;
@group(0) @binding(3) var<storage, read> x2: array<vec4f>;
@group(0) @binding(4) var<storage, read> x3: array<vec4f>;
@group(0) @binding(5) var<storage, read> stats: array<vec2f>;
@group(0) @binding(6) var<storage, read> ranges: array<vec2u>;
@group(0) @binding(7) var<storage, read_write> tiles: array<vec4<f16>>;
// Of each block the scale and, of do, the largest |delta|.
@group(0) @binding(8) var<storage, read_write> scales: array<vec2f>;
// Of each row the first key that it sees, the last, log-sum-exp by log 2 and delta.
@group(0) @binding(9) var<storage, read_write> row_values: array<vec4u>;

#include "attention/packed_layout.wgsl"

const THREADS = 128u;
const QUADS = EDGE * HEAD_DIM / 4u;
const LOG2_E = 1.4426950408889634;

var<workgroup> numbers: array<array<f32, HEAD_DIM>, EDGE>;
var<workgroup> largest: array<f32, THREADS>;
var<workgroup> deltas: array<f32, EDGE>;

// To the 11 bits of f16. By whole numbers, since compilers may take a conversion to f16 and back for nothing.
fn rounded(x: vec4f) -> vec4f {
  return bitcast<vec4f>((bitcast<vec4u>(x) + vec4u(0x1000u)) & vec4u(0xffffe000u));
}

fn x_of(part: u32, i: u32) -> vec4f {
  if (part == 0u) { return x0[i]; }
  if (part == 1u) { return x1[i]; }
  if (part == 2u) { return x2[i]; }
  return x3[i];
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let part = id.z;
  let blocks = p.parts[part].blocks;
  if (id.x >= blocks) { return; }
  let of_do = STATS && part == 3u;
  let key_group = p.parts[part].group;
  let heads = p.parts[part].heads;
  let rows = p.tokens * key_group;
  let begin = id.x * EDGE;
  let block = id.y * blocks + id.x;
  var most = 0.0;
  for (var i = lane; i < QUADS; i += THREADS) {
    let r = i / (HEAD_DIM / 4u);
    let c = i % (HEAD_DIM / 4u);
    let row = begin + r;
    var quad = vec4f();
    if (row < rows) {
      let head = (p.first + id.y) * key_group + row % key_group;
      quad = x_of(part, ((row / key_group) * heads + head) * (HEAD_DIM / 4u) + c);
    }
    for (var j = 0u; j < 4u; j++) { numbers[r][4u * c + j] = quad[j]; }
    let high = max(abs(quad.xy), abs(quad.zw));
    most = max(most, max(high.x, high.y));
  }
  largest[lane] = most;
  if (of_do && lane < EDGE) {
    // No key lies between these.
    var value = vec4u(1u, 0u, 0u, 0u);
    let row = begin + lane;
    deltas[lane] = 0.0;
    if (row < rows) {
      let token = row / key_group;
      let stat = stats[token * heads + (p.first + id.y) * key_group + row % key_group];
      value = vec4u(ranges[token].x, token, bitcast<u32>(stat.x * LOG2_E), bitcast<u32>(stat.y));
      deltas[lane] = abs(stat.y);
    }
    row_values[block * EDGE + lane] = value;
  }
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { largest[lane] = max(largest[lane], largest[lane + half]); }
  }
  workgroupBarrier();
  // What brings the largest magnitude into [2⁹, 2¹⁰): the low halves then stay normal too. Far from both ends of the
  // exponents, so that its inverse is normal.
  let exponent = clamp(bitcast<u32>(largest[0]) >> 23u, 32u, 232u) - 9u;
  let by = bitcast<f32>((254u - exponent) << 23u);
  if (lane == 0u) {
    var delta = 0.0;
    if (of_do) {
      for (var r = 0u; r < EDGE; r++) { delta = max(delta, deltas[r]); }
    }
    scales[p.parts[part].scales_at + block] = vec2f(bitcast<f32>(exponent << 23u), delta);
  }
  let natural = p.parts[part].natural == 1u;
  let halves = p.parts[part].columns;
  for (var i = lane; i < QUADS; i += THREADS) {
    // Quads of tiles, in the order in which they lie.
    let tile = i / (TILE / 4u);
    let a = (i % (TILE / 4u)) / (EDGE / 4u);
    let b = 4u * (i % (EDGE / 4u));
    if (natural) {
      let c = tile * EDGE + b;
      let v = by * vec4f(numbers[a][c], numbers[a][c + 1u], numbers[a][c + 2u], numbers[a][c + 3u]);
      let high = rounded(v);
      let at = (p.parts[part].tiles_at + block * BLOCK) / 4u + i;
      tiles[at] = vec4<f16>(high);
      tiles[at + PART / 4u] = vec4<f16>(v - high);
    }
    if (halves > 0u) {
      let c = tile * EDGE + a;
      let v = by * vec4f(numbers[b][c], numbers[b + 1u][c], numbers[b + 2u][c], numbers[b + 3u][c]);
      let high = rounded(v);
      let at = (p.parts[part].columns_at + block * halves * PART) / 4u + i;
      tiles[at] = vec4<f16>(high);
      if (halves > 1u) { tiles[at + PART / 4u] = vec4<f16>(v - high); }
    }
  }
}
