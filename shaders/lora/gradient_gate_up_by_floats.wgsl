// What lora_gated_gradient reads: four numbers of gate and up.
// requires: gate, up

struct GateUp { gate: vec4f, up: vec4f }

fn gate_up(i: u32) -> GateUp { return GateUp(gate[i], up[i]); }
