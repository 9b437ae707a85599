// What divides a row of f32 by its row_scale on its way into f16, and multiplies what is made of it again.
// requires: p.rows, row_scales

// Of a power of two, exactly; of a row that is not there, zero. The scales begin at `begin`.
fn inverse_scale_from(begin: u32, m: u32) -> f32 {
  if (m >= p.rows) { return 0.0; }
  return bitcast<f32>(0x7f000000u - bitcast<u32>(row_scales[begin + m]));
}

fn inverse_scale(m: u32) -> f32 { return inverse_scale_from(0u, m); }

// The scales of four rows, of the last one for those that are not there.
fn scales_of(rows: vec4u) -> vec4f {
  let m = min(rows, vec4u(p.rows - 1u));
  return vec4f(row_scales[m.x], row_scales[m.y], row_scales[m.z], row_scales[m.w]);
}
