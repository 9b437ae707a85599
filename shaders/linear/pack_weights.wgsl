// Decodes up to three weights w [out_features, in_features] to f16 and packs each, with the matrix of its LoRA
// module, into the tiles of a right operand [output columns, inner dimension]. For y = x·wᵀ the columns are w's rows,
// and the ranks of b follow the inner dimension; for dx = dy·w, TRANSPOSED, the columns are w's, and the rows of a
// follow.
//
// w and b side by side, or w and a on top of one another, are a matrix of `rows` × `columns`, padded with zeros. A
// thread makes 8 neighbors in each of 4 of its rows, a workgroup 64 rows × 32 columns; the weights stand one after
// another along workgroup_id.x.
// requires: N, K from matrixHead

struct Part {
  out_features: u32, in_features: u32, rank: u32,
  rows: u32, columns: u32, lora_from: u32, across: u32,
  // Rows of a weight in 16 bits before its first, and output columns before those that they become.
  skip: u32, put_at: u32,
  absmax_at: u32, map_at: u32, nested_shift: u32, offset: f32,
  // Where its matrix in `lora` and, in quads, its tiles begin.
  lora_at: u32, tiles_at: u32,
  // Workgroups along its rows.
  groups: u32,
}

struct Params { parts: array<Part, 3> }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> codes0: array<u32>;
@group(0) @binding(2) var<storage, read> codes1: array<u32>;
@group(0) @binding(3) var<storage, read> codes2: array<u32>;
@group(0) @binding(4) var<storage, read> scales0: array<u32>;
@group(0) @binding(5) var<storage, read> scales1: array<u32>;
@group(0) @binding(6) var<storage, read> scales2: array<u32>;
// b [out_features, rank] or a [rank, in_features].
@group(0) @binding(7) var<storage, read> lora: array<f32>;
@group(0) @binding(8) var<storage, read_write> tiles: array<vec4<f16>>;

override TRANSPOSED: bool = false;

#include "linear/nf4_values.wgsl"
#include "shared/packed_tiles.wgsl"

fn code_of(part: u32, i: u32) -> u32 {
  if (part == 0u) { return codes0[i]; }
  if (part == 1u) { return codes1[i]; }
  return codes2[i];
}

fn scale_word(part: u32, i: u32) -> u32 {
  if (part == 0u) { return scales0[i]; }
  if (part == 1u) { return scales1[i]; }
  return scales2[i];
}

// The scale of a block of 64 weights.
fn scale_of(part: u32, block: u32) -> f32 {
  if (!NESTED) { return bitcast<f32>(scale_word(part, block)); }
  let code = (scale_word(part, block >> 2u) >> (8u * (block & 3u))) & 255u;
  let absmax = p.parts[part].absmax_at + (block >> p.parts[part].nested_shift);
  return bitcast<f32>(scale_word(part, p.parts[part].map_at + code)) *
    bitcast<f32>(scale_word(part, absmax)) + p.parts[part].offset;
}

struct Eight { low: vec4f, high: vec4f }

fn weights_at(part: u32, row: u32, column: u32) -> Eight {
  let in_features = p.parts[part].in_features;
  if (STORED == 0u) {
    let word = code_of(part, ((column / 32u) * p.parts[part].out_features + row) * 4u + (column % 32u) / 8u);
    let scale = scale_of(part, (row * in_features + column) / 64u);
    return Eight(decode4(word, scale), decode4(word >> 16u, scale));
  }
  let at = ((p.parts[part].skip + row) * in_features + column) / 2u;
  return Eight(
    halves4(vec2u(code_of(part, at), code_of(part, at + 1u))),
    halves4(vec2u(code_of(part, at + 2u), code_of(part, at + 3u))),
  );
}

fn lora_at(part: u32, row: u32, column: u32) -> f32 {
  let rows = select(p.parts[part].out_features, p.parts[part].rank, TRANSPOSED);
  let width = select(p.parts[part].rank, p.parts[part].in_features, TRANSPOSED);
  if (row >= rows || column >= width) { return 0.0; }
  return lora[p.parts[part].lora_at + row * width + column];
}

fn eight_at(part: u32, row: u32, column: u32) -> Eight {
  if (row < p.parts[part].out_features && column < p.parts[part].in_features) {
    return weights_at(part, row, column);
  }
  let lora_from = p.parts[part].lora_from;
  let along = select(column, row, TRANSPOSED);
  if (along < lora_from) { return Eight(); }
  let r = row - select(0u, lora_from, TRANSPOSED);
  let c = column - select(lora_from, 0u, TRANSPOSED);
  return Eight(
    vec4f(lora_at(part, r, c), lora_at(part, r, c + 1u), lora_at(part, r, c + 2u), lora_at(part, r, c + 3u)),
    vec4f(
      lora_at(part, r, c + 4u), lora_at(part, r, c + 5u), lora_at(part, r, c + 6u), lora_at(part, r, c + 7u),
    ),
  );
}

// Puts four numbers of the inner dimension from k on, of output column n.
fn put(part: u32, n: u32, k: u32, v: vec4f) {
  tiles[p.parts[part].tiles_at + packed_at(n, k, p.parts[part].across) / 4u] = vec4<f16>(v);
}

fn put_across(part: u32, row: u32, column: u32, rows: mat4x4f) {
  let columns = transpose(rows);
  for (var i = 0u; i < 4u; i++) { put(part, column + i, row, columns[i]); }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  fill_codebook(lane);
  workgroupBarrier();
  var part = 0u;
  var job = group.x;
  // Of constant length, so that the loads of all parts go out at once.
  for (var i = 0u; i < 2u; i++) {
    if (part == i && job >= p.parts[i].groups) { job -= p.parts[i].groups; part++; }
  }
  let rows = p.parts[part].rows;
  let row = job * 64u + (lane / 4u) * 4u;
  let column = group.y * 32u + (lane % 4u) * 8u;
  if (row >= rows || column >= p.parts[part].columns) { return; }
  var low: mat4x4f;
  var high: mat4x4f;
  // All loads before any store.
  for (var i = 0u; i < 4u; i++) {
    let eight = eight_at(part, row + i, column);
    low[i] = eight.low;
    high[i] = eight.high;
  }
  if (TRANSPOSED) {
    put_across(part, row, column, low);
    put_across(part, row, column + 4u, high);
    return;
  }
  for (var i = 0u; i < 4u; i++) {
    if (row + i < rows) {
      let n = p.parts[part].put_at + row + i;
      put(part, n, column, low[i]);
      put(part, n, column + 4u, high[i]);
    }
  }
}
