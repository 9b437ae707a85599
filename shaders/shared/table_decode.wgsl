// How the rows of an embedding, which stay as the checkpoint has them, become numbers.

// How the table stores a value: 0 = bf16, 1 = f16, 2 = f32.
override FORMAT: u32 = 0u;

// Values in a vec4u of the table.
override PER_WORD = select(8u, 4u, FORMAT == 2u);

// Two neighboring values of a 16-bit table, the first in the low half.
fn halves(word: u32) -> vec2f {
  if (FORMAT == 0u) { return vec2f(bitcast<f32>(word << 16u), bitcast<f32>(word & 0xffff0000u)); }
  return unpack2x16float(word);
}
