// The same for gate and up that are rounded to f16: those that were saved so, or those that were recomputed.
// requires: gate, up

struct GateUp { gate: vec4f, up: vec4f }

// Where SAVED: four halves of gate, then four of up. Their gradients then go where gate and up would be.
@group(0) @binding(8) var<storage, read> saved: array<vec4u>;

override SAVED: bool = false;

#include "shared/halves.wgsl"

fn gate_up(i: u32) -> GateUp {
  var words: vec4u;
  if (SAVED) { words = saved[i]; } else { words = vec4u(pack_halves(gate[i]), pack_halves(up[i])); }
  return GateUp(unpack_halves(words.xy), unpack_halves(words.zw));
}
