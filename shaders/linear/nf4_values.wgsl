// How frozen weights become numbers: NF4, or the 16 bits of a module that the checkpoint does not quantize. A
// kernel's first act is to fill the codebook, with sixteen threads at least; after a barrier it may decode.
// References: T. Dettmers et al., "QLoRA: Efficient Finetuning of Quantized LLMs", arXiv:2305.14314 (NF4, double
// quantization); bitsandbytes, csrc/kernels.cu and bitsandbytes/functional.py (the values of NF4).

// How the weight is stored: 0 = NF4 with `scales`; 1 = bf16 or 2 = f16, its rows as in the file, `scales` unused.
override STORED: u32 = 0u;

// True where the scales are themselves 8-bit codes (double quantization).
override NESTED: bool = false;

var<workgroup> codebook: array<f32, 16>;

const NF4 = array<f32, 16>(
  -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
  -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634,
  0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0);

fn fill_codebook(lane: u32) {
  if (lane < 16u) { codebook[lane] = NF4[lane]; }
}

// Two neighboring 16-bit weights, the first in the low half.
fn halves(word: u32) -> vec2f {
  if (STORED == 1u) { return vec2f(bitcast<f32>(word << 16u), bitcast<f32>(word & 0xffff0000u)); }
  return unpack2x16float(word);
}

// Four neighboring 16-bit weights.
fn halves4(words: vec2u) -> vec4f { return vec4f(halves(words.x), halves(words.y)); }

// The weights of the four lowest codes of a word.
fn decode4(word: u32, scale: f32) -> vec4f {
  return vec4f(
    codebook[word & 15u],
    codebook[(word >> 4u) & 15u],
    codebook[(word >> 8u) & 15u],
    codebook[(word >> 12u) & 15u],
  ) * scale;
}
