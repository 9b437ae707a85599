// Reference: ggml, src/ggml-quants.c and src/ggml-common.h (formats of blocks, dequantizers).
import { f16ToF32 } from '../../formats/half.ts';
import type { FloatType } from '../float-bytes.ts';
import { GGML_TYPES, type GgmlType } from './file.ts';

/** The types whose values are in blocks. */
export type BlockType = Exclude<GgmlType, FloatType>;

/** Writes the values of the block at byte `at` into `out`, from `to` on. */
type Decoder = (bytes: Uint8Array, at: number, out: Float32Array, to: number) => void;

const half = (bytes: Uint8Array, at: number): number => f16ToF32(bytes.slice(at, at + 2))[0]!;
const int8 = (byte: number): number => (byte << 24) >> 24;

/** 32 codes of 5 bits, whose high bits are apart: code · scale + offset. */
function fives(bytes: Uint8Array, at: number, out: Float32Array, to: number, scale: number, offset: number) {
  for (let i = 0; i < 32; i++) {
    const low = (bytes[at + 4 + (i & 15)]! >> (i < 16 ? 0 : 4)) & 15;
    const high = (bytes[at + (i >> 3)]! >> (i & 7)) & 1;
    out[to + i] = scale * (low + 16 * high) + offset;
  }
}

/** 8 sub-blocks of 32: scale · code - minimum, with scales and minima of 6 bits; codes of 4 bits, or 5 with `highs` bytes of high bits. */
function affine(highs: 0 | 32): Decoder {
  return (bytes, at, out, to) => {
    const [d, dmin] = [half(bytes, at), half(bytes, at + 2)];
    for (let j = 0; j < 8; j++) {
      const low = at + 4 + (j & 3);
      const [a, b, c] = [bytes[low]!, bytes[low + 4]!, bytes[low + 8]!];
      const scale = d * (j < 4 ? a & 63 : (c & 15) | ((a >> 6) << 4));
      const min = dmin * (j < 4 ? b & 63 : (c >> 4) | ((b >> 6) << 4));
      for (let i = 0; i < 32; i++) {
        const code = (bytes[at + 16 + highs + 32 * (j >> 1) + i]! >> (4 * (j & 1))) & 15;
        const high = highs > 0 ? (bytes[at + 16 + i]! >> j) & 1 : 0;
        out[to + 32 * j + i] = scale * (code + 16 * high) - min;
      }
    }
  };
}

const DECODERS: Readonly<Record<BlockType, Decoder>> = {
  Q5_0: (bytes, at, out, to) => {
    const scale = half(bytes, at);
    fives(bytes, at + 2, out, to, scale, -16 * scale);
  },
  Q5_1: (bytes, at, out, to) => fives(bytes, at + 4, out, to, half(bytes, at), half(bytes, at + 2)),
  Q8_0: (bytes, at, out, to) => {
    const scale = half(bytes, at);
    for (let i = 0; i < 32; i++) {
      out[to + i] = scale * int8(bytes[at + 2 + i]!);
    }
  },
  Q4_K: affine(0),
  Q5_K: affine(32),
  Q6_K: (bytes, at, out, to) => {
    const d = half(bytes, at + 208);
    for (let i = 0; i < 256; i++) {
      const [part, quarter, lane] = [i >> 7, (i >> 5) & 3, i & 31];
      const low = (bytes[at + 64 * part + 32 * (quarter & 1) + lane]! >> (4 * (quarter >> 1))) & 15;
      const high = (bytes[at + 128 + 32 * part + lane]! >> (2 * quarter)) & 3;
      out[to + i] = d * int8(bytes[at + 192 + (i >> 4)]!) * (low + 16 * high - 32);
    }
  },
};

/** The values of whole blocks. */
export function blockValues(type: BlockType, bytes: Uint8Array): Float32Array<ArrayBuffer> {
  const { block, bytes: size } = GGML_TYPES[type];
  const decode = DECODERS[type];
  const out = new Float32Array((bytes.length / size) * block);
  for (let at = 0, to = 0; at < bytes.length; at += size, to += block) {
    decode(bytes, at, out, to);
  }
  return out;
}
