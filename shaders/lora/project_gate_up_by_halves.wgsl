// The same for gate and up that are rounded to f16, and may be saved so.
// requires: x0, x1, stores

struct GateUp { gate: vec4f, up: vec4f }

// Where SAVED: four halves of gate, then four of up.
@group(0) @binding(8) var<storage, read_write> saved: array<vec4u>;

override SAVED: bool = false;

#include "shared/halves.wgsl"

fn gate_up(i: u32) -> GateUp {
  let words = vec4u(pack_halves(x0[i]), pack_halves(x1[i]));
  if (SAVED && stores) { saved[i] = words; }
  return GateUp(unpack_halves(words.xy), unpack_halves(words.zw));
}
