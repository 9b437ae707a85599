// Where lora_project_whole makes x of gate and up: four numbers of both.
// requires: x0, x1

struct GateUp { gate: vec4f, up: vec4f }

fn gate_up(i: u32) -> GateUp { return GateUp(x0[i], x1[i]); }
