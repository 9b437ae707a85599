// nf4_matmul for 1 to 8 rows, as decoding has them: y[m, n] = Σk x[m, k]·w[n, k] + Σr u[m, r]·b[n, r] + bias[n] +
// residual[m, n]. Bound by reading the weights: 32 columns a workgroup, 8 threads sharing the depth of each.

#include "linear/forward_operands.wgsl"
@group(0) @binding(2) var<storage, read> codes: array<vec4u>;
@group(0) @binding(8) var<storage, read_write> y: array<f32>;

const ROWS = 8u;
const COLUMNS = 32u;
const SLICES = 8u;

var<workgroup> partial: array<f32, ROWS * COLUMNS * SLICES>;

#include "linear/nf4_decode.wgsl"

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  fill_codebook(lane);
  workgroupBarrier();
  let column = lane % COLUMNS;
  let slice = lane / COLUMNS;
  let n = group.x * COLUMNS + column;
  var sums: array<f32, ROWS>;
  if (n < p.out_features) {
    for (var g = slice; g < p.in_features / 32u; g += SLICES) {
      var packed = vec4u();
      var scale = 0.0;
      if (STORED == 0u) {
        packed = codes[g * p.out_features + n];
        scale = scale_of((n * p.in_features + g * 32u) / 64u);
      }
      for (var quarter = 0u; quarter < 4u; quarter++) {
        var low: vec4f;
        var high: vec4f;
        if (STORED == 0u) {
          low = decode4(packed[quarter], scale);
          high = decode4(packed[quarter] >> 16u, scale);
        } else {
          let words = codes[(n * p.in_features + g * 32u) / 8u + quarter];
          low = halves4(words.xy);
          high = halves4(words.zw);
        }
        for (var m = 0u; m < p.rows; m++) {
          let at = (m * p.in_features + g * 32u) / 4u + quarter * 2u;
          sums[m] += dot(low, x[at]) + dot(high, x[at + 1u]);
        }
      }
    }
    for (var r = slice; r < p.rank; r += SLICES) {
      let weight = b[n * p.rank + r];
      for (var m = 0u; m < p.rows; m++) { sums[m] += activations[m * p.rank + r] * weight; }
    }
  }
  for (var m = 0u; m < p.rows; m++) { partial[(m * SLICES + slice) * COLUMNS + column] = sums[m]; }
  workgroupBarrier();
  // Slice s now finishes row s.
  if (slice < p.rows && n < p.out_features) {
    var total = 0.0;
    for (var s = 0u; s < SLICES; s++) { total += partial[(slice * SLICES + s) * COLUMNS + column]; }
    if (p.has_bias != 0u) { total += bias[n]; }
    if (p.has_residual != 0u) { total += residual[slice * p.out_features + n]; }
    store_y(slice, n, total);
  }
}
