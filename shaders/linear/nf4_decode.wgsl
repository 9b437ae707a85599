// How the only frozen weight of a kernel becomes numbers.
// requires: scales, p.map_at, p.absmax_at, p.nested_shift, p.offset

#include "linear/nf4_values.wgsl"

// The scale of a block of 64 weights.
fn scale_of(block: u32) -> f32 {
  if (!NESTED) { return bitcast<f32>(scales[block]); }
  let code = (scales[block >> 2u] >> (8u * (block & 3u))) & 255u;
  return bitcast<f32>(scales[p.map_at + code]) *
    bitcast<f32>(scales[p.absmax_at + (block >> p.nested_shift)]) + p.offset;
}
