/** The floating-point types that an export can have, by their safetensors names. */
export type FloatType = 'F32' | 'F16' | 'BF16';

export const FLOAT_BYTES: Readonly<Record<FloatType, number>> = { F32: 4, F16: 2, BF16: 2 };

/** The little-endian bytes of f32 values in another type, each rounded once, to nearest, ties to even. */
export function floatBytes(values: Float32Array<ArrayBuffer>, type: FloatType): Uint8Array<ArrayBuffer> {
  if (type === 'F32') {
    return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  }
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(bits.length);
  const round = type === 'BF16' ? bf16Bits : f16Bits;
  for (let i = 0; i < bits.length; i++) {
    halves[i] = round(bits[i]!);
  }
  return new Uint8Array(halves.buffer);
}

/** The bits of the bf16 nearest to an f32, both as bits. The values are finite. */
function bf16Bits(bits: number): number {
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

/** The bits of the IEEE half nearest to an f32, both as bits; beyond 65504, infinity. The values are finite. */
function f16Bits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude >= 0x47800000) {
    return sign | 0x7c00;
  }
  if (magnitude >= 0x38800000) {
    const rebased = magnitude - 0x38000000;
    return sign | ((rebased + 0xfff + ((rebased >>> 13) & 1)) >>> 13);
  }
  if (magnitude <= 0x33000000) {
    return sign;
  }
  // Subnormal: a multiple of 2^-24.
  const mantissa = (magnitude & 0x7fffff) | 0x800000;
  const shift = 126 - (magnitude >>> 23);
  const half = 2 ** (shift - 1);
  const floor = mantissa >>> shift;
  const rest = mantissa & (2 ** shift - 1);
  return sign | (rest > half || (rest === half && floor & 1) ? floor + 1 : floor);
}

const one = new Float32Array(1);
const oneBits = new Uint32Array(one.buffer);

/** The bits of the half nearest to a number, after rounding it to f32. */
export function f16Of(value: number): number {
  one[0] = value;
  return f16Bits(oneBits[0]!);
}
