// How frozen weights become numbers: NF4, or the 16 bits of a module that the checkpoint does not quantize. The
// kernel beside this declares `scales` as array<u32>, and of `p` absmax_at, map_at, nested_shift and offset, and has
// sixteen threads or more. Its first act is to fill the book; a barrier later it may decode.
// requires: scales, p.map_at, p.absmax_at, p.nested_shift, p.offset

// How the weight is stored: 0 = NF4 with `scales`; 1 = bf16 or 2 = f16, its rows as in the file, `scales` unused.
override STORED: u32 = 0u;

// True where the scales are themselves 8-bit codes (double quantization).
override NESTED: bool = false;

var<workgroup> book: array<f32, 16>;

const NF4 = array<f32, 16>(
  -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
  -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634,
  0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0);

fn fill_book(lane: u32) {
  if (lane < 16u) { book[lane] = NF4[lane]; }
}

// The scale of a block of 64 weights.
fn scale_of(block: u32) -> f32 {
  if (!NESTED) { return bitcast<f32>(scales[block]); }
  let code = (scales[block >> 2u] >> (8u * (block & 3u))) & 255u;
  return bitcast<f32>(scales[p.map_at + code]) *
    bitcast<f32>(scales[p.absmax_at + (block >> p.nested_shift)]) + p.offset;
}

// Two neighbouring 16-bit weights, the first in the low half.
fn halves(word: u32) -> vec2f {
  if (STORED == 1u) { return vec2f(bitcast<f32>(word << 16u), bitcast<f32>(word & 0xffff0000u)); }
  return unpack2x16float(word);
}

// Four neighbouring 16-bit weights.
fn halves4(words: vec2u) -> vec4f { return vec4f(halves(words.x), halves(words.y)); }

// The weights of the four lowest codes of a word.
fn decode4(word: u32, scale: f32) -> vec4f {
  return vec4f(
    book[word & 15u],
    book[(word >> 4u) & 15u],
    book[(word >> 8u) & 15u],
    book[(word >> 12u) & 15u],
  ) * scale;
}
