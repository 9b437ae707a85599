// The activations of a LoRA module, or their gradient, [rows, rank]; zeros past both ends.
// requires: p.rows, p.rank, activations

fn activation(m: u32, r: u32) -> f32 {
  if (m < p.rows && r < p.rank) { return activations[m * p.rank + r]; }
  return 0.0;
}

// Of four neighboring ranks.
fn activation4(m: u32, r: u32) -> vec4f {
  return vec4f(activation(m, r), activation(m, r + 1u), activation(m, r + 2u), activation(m, r + 3u));
}
