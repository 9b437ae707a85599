// The formats of ggml's blocks, decoded plainly. tests/unit/export/quants.test.ts compares them with PyPI's gguf.

function half(b: Uint8Array, at: number): number {
  const bits = b[at]! | (b[at + 1]! << 8);
  const [exponent, mantissa] = [(bits >> 10) & 31, bits & 1023];
  const magnitude = exponent === 0 ? mantissa * 2 ** -24 : (1024 + mantissa) * 2 ** (exponent - 25);
  return bits & 0x8000 ? -magnitude : magnitude;
}

const int8 = (byte: number): number => (byte << 24) >> 24;

interface Decoder {
  bytes: number;
  values: number;
  decode(block: Uint8Array, i: number): number;
}

/** Scale and minimum of sub-block j, among 12 bytes of 6 bits each. */
function scaleAndMin(b: Uint8Array, at: number, j: number): [number, number] {
  return j < 4
    ? [b[at + j]! & 63, b[at + 4 + j]! & 63]
    : [
        (b[at + 4 + j]! & 15) | ((b[at + j - 4]! >> 6) << 4),
        (b[at + 4 + j]! >> 4) | ((b[at + j]! >> 6) << 4),
      ];
}

const affine = (highs: number) => (b: Uint8Array, i: number) => {
  const [scale, min] = scaleAndMin(b, 4, i >> 5);
  const low = (b[16 + highs + 32 * (i >> 6) + (i & 31)]! >> (4 * ((i >> 5) & 1))) & 15;
  const high = highs > 0 ? (b[16 + (i & 31)]! >> (i >> 5)) & 1 : 0;
  return half(b, 0) * scale * (low + 16 * high) - half(b, 2) * min;
};

/** The code of value i of 32, after the bytes that `at` counts. */
const five = (b: Uint8Array, at: number, i: number): number =>
  ((b[at + 4 + (i % 16)]! >> (i < 16 ? 0 : 4)) & 15) + 16 * ((b[at + (i >> 3)]! >> (i & 7)) & 1);

export const DECODERS: Readonly<Record<'Q5_0' | 'Q5_1' | 'Q8_0' | 'Q4_K' | 'Q5_K' | 'Q6_K', Decoder>> = {
  Q5_0: {
    bytes: 22,
    values: 32,
    decode: (b, i) => half(b, 0) * (five(b, 2, i) - 16),
  },
  Q5_1: {
    bytes: 24,
    values: 32,
    decode: (b, i) => half(b, 0) * five(b, 4, i) + half(b, 2),
  },
  Q8_0: { bytes: 34, values: 32, decode: (b, i) => half(b, 0) * int8(b[2 + i]!) },
  Q4_K: { bytes: 144, values: 256, decode: affine(0) },
  Q5_K: { bytes: 176, values: 256, decode: affine(32) },
  Q6_K: {
    bytes: 210,
    values: 256,
    decode: (b, i) => {
      const [part, quarter, lane] = [i >> 7, (i >> 5) & 3, i & 31];
      const low = (b[64 * part + 32 * (quarter & 1) + lane]! >> (4 * (quarter >> 1))) & 15;
      const high = (b[128 + 32 * part + lane]! >> (2 * quarter)) & 3;
      return half(b, 208) * int8(b[192 + (i >> 4)]!) * (low + 16 * high - 32);
    },
  },
};

export function decodeBlocks(type: keyof typeof DECODERS, bytes: Uint8Array): number[] {
  const { bytes: size, values, decode } = DECODERS[type];
  return Array.from({ length: (bytes.length / size) * values }, (_, i) => {
    const block = Math.floor(i / values);
    return decode(bytes.subarray(size * block, size * (block + 1)), i % values);
  });
}
