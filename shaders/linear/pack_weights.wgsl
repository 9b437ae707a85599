// Decodes a weight w [out_features, in_features] to f16 and packs it, with the matrix of its LoRA module, into the
// tiles of a right operand [output columns, inner dimension]. For y = x·wᵀ the columns are w's rows, and the ranks of
// b follow the inner dimension; for dx = dy·w, TRANSPOSED, the columns are w's, and the rows of a follow.
//
// w and b side by side, or w and a on top of one another, are a matrix of `rows` × `columns`, padded with zeros. A
// thread makes 8 neighbors in each of 4 of its rows, a workgroup 64 rows × 32 columns.
// requires: N, K from matrixHead

struct Params {
  out_features: u32, in_features: u32, rank: u32,
  rows: u32, columns: u32, lora_from: u32, across: u32,
  // Rows of a weight in 16 bits before its first, and output columns before those that they become.
  skip: u32, put_at: u32,
  absmax_at: u32, map_at: u32, nested_shift: u32, offset: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> codes: array<u32>;
@group(0) @binding(2) var<storage, read> scales: array<u32>;
// b [out_features, rank] or a [rank, in_features].
@group(0) @binding(3) var<storage, read> lora: array<f32>;
@group(0) @binding(4) var<storage, read_write> tiles: array<vec4<f16>>;

override TRANSPOSED: bool = false;

#include "linear/nf4_decode.wgsl"
#include "shared/packed_tiles.wgsl"

struct Eight { low: vec4f, high: vec4f }

fn weights_at(row: u32, column: u32) -> Eight {
  if (STORED == 0u) {
    let word = codes[((column / 32u) * p.out_features + row) * 4u + (column % 32u) / 8u];
    let scale = scale_of((row * p.in_features + column) / 64u);
    return Eight(decode4(word, scale), decode4(word >> 16u, scale));
  }
  let at = ((p.skip + row) * p.in_features + column) / 2u;
  return Eight(halves4(vec2u(codes[at], codes[at + 1u])), halves4(vec2u(codes[at + 2u], codes[at + 3u])));
}

fn lora_at(row: u32, column: u32) -> f32 {
  let rows = select(p.out_features, p.rank, TRANSPOSED);
  let width = select(p.rank, p.in_features, TRANSPOSED);
  if (row >= rows || column >= width) { return 0.0; }
  return lora[row * width + column];
}

fn eight_at(row: u32, column: u32) -> Eight {
  if (row < p.out_features && column < p.in_features) { return weights_at(row, column); }
  let along = select(column, row, TRANSPOSED);
  if (along < p.lora_from) { return Eight(); }
  let r = row - select(0u, p.lora_from, TRANSPOSED);
  let c = column - select(p.lora_from, 0u, TRANSPOSED);
  return Eight(
    vec4f(lora_at(r, c), lora_at(r, c + 1u), lora_at(r, c + 2u), lora_at(r, c + 3u)),
    vec4f(lora_at(r, c + 4u), lora_at(r, c + 5u), lora_at(r, c + 6u), lora_at(r, c + 7u)),
  );
}

// Puts four numbers of the inner dimension from k on, of output column n.
fn put(n: u32, k: u32, v: vec4f) { tiles[packed_at(n, k, p.across) / 4u] = vec4<f16>(v); }

fn put_across(row: u32, column: u32, rows: mat4x4f) {
  let columns = transpose(rows);
  for (var i = 0u; i < 4u; i++) { put(column + i, row, columns[i]); }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  fill_codebook(lane);
  workgroupBarrier();
  let row = group.x * 64u + (lane / 4u) * 4u;
  let column = group.y * 32u + (lane % 4u) * 8u;
  if (row >= p.rows || column >= p.columns) { return; }
  var low: mat4x4f;
  var high: mat4x4f;
  for (var i = 0u; i < 4u; i++) {
    let eight = eight_at(row + i, column);
    if (TRANSPOSED) {
      low[i] = eight.low;
      high[i] = eight.high;
    } else if (row + i < p.rows) {
      put(p.put_at + row + i, column, eight.low);
      put(p.put_at + row + i, column + 4u, eight.high);
    }
  }
  if (TRANSPOSED) {
    put_across(row, column, low);
    put_across(row, column + 4u, high);
  }
}
