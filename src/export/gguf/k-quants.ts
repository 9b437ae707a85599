// Reference: ggml, src/ggml-quants.c and src/ggml-common.h (k-quants: super-blocks of 256 values).
import { setHalf } from './block-quants.ts';

const SUPER = 256;

/** Adding and subtracting it rounds a double to an integer, ties to even. */
const ROUNDER = 1.5 * 2 ** 52;

/** To the nearest integer within bounds. */
function nearest(x: number, min: number, max: number): number {
  const rounded = x + ROUNDER - ROUNDER;
  return rounded < min ? min : rounded > max ? max : rounded;
}

/** Bits of a code, and the coarsest of the scales that are tried: `maximum + first` steps over the range, then finer ones. */
interface Affine {
  bits: 4 | 5;
  first: number;
  tries: number;
}

/** 8 sub-blocks of 32, each scale · code - minimum, both of 6 bits; codes of 4 bits. */
export const quantizeQ4K = (values: Float32Array): Uint8Array<ArrayBuffer> =>
  quantizeAffine(values, { bits: 4, first: -1, tries: 21 });

/** The same with codes of 5 bits. */
export const quantizeQ5K = (values: Float32Array): Uint8Array<ArrayBuffer> =>
  quantizeAffine(values, { bits: 5, first: -0.5, tries: 16 });

function quantizeAffine(values: Float32Array, form: Affine): Uint8Array<ArrayBuffer> {
  const top = 2 ** form.bits - 1;
  const highs = form.bits === 5 ? 32 : 0;
  const size = 144 + highs;
  const out = new Uint8Array((values.length / SUPER) * size);
  const codes = new Uint8Array(SUPER);
  for (let block = 0; block < values.length / SUPER; block++) {
    const x = values.subarray(SUPER * block, SUPER * (block + 1));
    const fits = Array.from({ length: 8 }, (_, j) => fitAffine(x.subarray(32 * j, 32 * j + 32), form));
    const at = size * block;
    const [largestScale, largestMin] = [
      Math.max(...fits.map(({ scale }) => scale)),
      Math.max(...fits.map(({ min }) => min)),
    ];
    const d = setHalf(out, at, largestScale / 63);
    const dmin = setHalf(out, at + 2, largestMin / 63);
    codes.fill(0);
    for (const [j, { scale, min, codes: fitted }] of fits.entries()) {
      const scale6 = largestScale > 0 ? nearest((63 * scale) / largestScale, 0, 63) : 0;
      const min6 = largestMin > 0 ? nearest((63 * min) / largestMin, 0, 63) : 0;
      packScales(out, at + 4, j, scale6, min6);
      const step = d * scale6;
      for (let i = 0; i < 32; i++) {
        codes[32 * j + i] = step === 0 ? fitted[i]! : nearest((x[32 * j + i]! + dmin * min6) / step, 0, top);
      }
    }
    for (let i = 0; i < SUPER; i++) {
      // Two sub-blocks share 32 bytes.
      const [pair, lane] = [i >> 6, i & 31];
      const upper = (i >> 5) & 1;
      out[at + 16 + highs + 32 * pair + lane]! |= (codes[i]! & 15) << (4 * upper);
      if (highs > 0) {
        out[at + 16 + lane]! |= (codes[i]! >> 4) << (2 * pair + upper);
      }
    }
  }
  return out;
}

/** Sub-block j's scale and minimum, 6 bits each, among the 12 bytes of all eight. */
function packScales(out: Uint8Array, at: number, j: number, scale: number, min: number): void {
  if (j < 4) {
    out[at + j]! |= scale;
    out[at + 4 + j]! |= min;
    return;
  }
  out[at + 4 + j] = (scale & 15) | ((min & 15) << 4);
  out[at + j - 4]! |= (scale >> 4) << 6;
  out[at + j]! |= (min >> 4) << 6;
}

interface Fit {
  scale: number;
  /** What is subtracted; at least 0. */
  min: number;
  codes: Uint8Array;
}

/**
 * Scale, minimum and codes with the least weighted squared error, among roundings by several scales, each followed by
 * the least-squares line through its codes. Larger values weigh more.
 */
function fitAffine(x: Float32Array, { bits, first, tries }: Affine): Fit {
  const top = 2 ** bits - 1;
  let [low, high, squares] = [x[0]!, x[0]!, 0];
  for (const value of x) {
    low = Math.min(low, value);
    high = Math.max(high, value);
    squares += value * value;
  }
  low = Math.min(low, 0);
  if (low === high) {
    return { scale: 0, min: -low, codes: new Uint8Array(x.length) };
  }
  const mean = Math.sqrt(squares / x.length);
  const sums = { w: 0, x: 0 };
  for (let i = 0; i < x.length; i++) {
    weights[i] = mean + Math.abs(x[i]!);
    sums.w += weights[i]!;
    sums.x += weights[i]! * x[i]!;
  }
  const round = (codes: Uint8Array, inverse: number): void => {
    for (let i = 0; i < x.length; i++) {
      codes[i] = nearest(inverse * (x[i]! - low), 0, top);
    }
  };
  let scale = (high - low) / top;
  let offset = low;
  let [best, other] = [new Uint8Array(x.length), new Uint8Array(x.length)];
  round(best, 1 / scale);
  let least = errorOf(x, best, scale, offset);
  for (let attempt = 0; attempt < tries; attempt++) {
    round(other, (top + first + 0.1 * attempt) / (high - low));
    const line = throughCodes(x, other, sums);
    const error = line ? errorOf(x, other, line.scale, line.offset) : Infinity;
    if (line && error < least) {
      least = error;
      ({ scale, offset } = line);
      [best, other] = [other, best];
    }
  }
  return { scale, min: -offset, codes: best };
}

/** The weights of the sub-block at hand. */
const weights = new Float64Array(32);

/** Weighted squared error of codes. */
function errorOf(x: Float32Array, codes: Uint8Array, scale: number, offset: number): number {
  let error = 0;
  for (let i = 0; i < x.length; i++) {
    const off = scale * codes[i]! + offset - x[i]!;
    error += weights[i]! * off * off;
  }
  return error;
}

/** The weighted least-squares line from codes to values, whose offset is at most 0. */
function throughCodes(
  x: Float32Array,
  codes: Uint8Array,
  sums: { w: number; x: number },
): { scale: number; offset: number } | undefined {
  let sumL = 0;
  let sumL2 = 0;
  let sumXL = 0;
  for (let i = 0; i < x.length; i++) {
    const weighted = weights[i]! * codes[i]!;
    sumL += weighted;
    sumL2 += weighted * codes[i]!;
    sumXL += weighted * x[i]!;
  }
  const determinant = sums.w * sumL2 - sumL * sumL;
  if (determinant <= 0) {
    return undefined;
  }
  const offset = (sumL2 * sums.x - sumL * sumXL) / determinant;
  return offset > 0
    ? { scale: sumXL / sumL2, offset: 0 }
    : { scale: (sums.w * sumXL - sums.x * sumL) / determinant, offset };
}

/** Scales smaller than this count as zero. */
const TINY = 1e-15;

/** 16 sub-blocks of 16, each scale · code with scales of 8 bits and codes of 6, -32 to 31. */
export function quantizeQ6K(values: Float32Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array((values.length / SUPER) * 210);
  const codes = new Uint8Array(SUPER);
  for (let block = 0; block < values.length / SUPER; block++) {
    const x = values.subarray(SUPER * block, SUPER * (block + 1));
    const fits = Array.from({ length: 16 }, (_, j) => fitScale(x.subarray(16 * j, 16 * j + 16)));
    const extreme = fits.reduce((most, { scale }) => (Math.abs(scale) > Math.abs(most) ? scale : most), 0);
    if (Math.abs(extreme) < TINY) {
      continue;
    }
    const at = 210 * block;
    const d = setHalf(out, at + 208, extreme / -128);
    for (const [j, { scale, codes: fitted }] of fits.entries()) {
      const scale8 = nearest((-128 * scale) / extreme, -128, 127);
      out[at + 192 + j] = scale8;
      const step = d * scale8;
      for (let i = 0; i < 16; i++) {
        codes[16 * j + i] = 32 + (step === 0 ? fitted[i]! : nearest(x[16 * j + i]! / step, -32, 31));
      }
    }
    for (let i = 0; i < SUPER; i++) {
      // Halves of 128: lanes of 32, whose low four bits go two to a byte and high two bits four to a byte.
      const [half, quarter, lane] = [i >> 7, (i >> 5) & 3, i & 31];
      out[at + 64 * half + 32 * (quarter & 1) + lane]! |= (codes[i]! & 15) << (4 * (quarter >> 1));
      out[at + 128 + 32 * half + lane]! |= (codes[i]! >> 4) << (2 * quarter);
    }
  }
  return out;
}

/**
 * Scale and codes of 16 values with the least squared error, weighted by the squares: among roundings by several scales,
 * each followed by the least-squares scale of its codes.
 */
function fitScale(x: Float32Array): { scale: number; codes: Int8Array } {
  let extreme = 0;
  for (const value of x) {
    extreme = Math.abs(value) > Math.abs(extreme) ? value : extreme;
  }
  let [best, other] = [new Int8Array(x.length), new Int8Array(x.length)];
  if (Math.abs(extreme) < TINY) {
    return { scale: 0, codes: best };
  }
  let scale = 0;
  let most = -1;
  for (const attempt of ATTEMPTS) {
    const inverse = -(32 + 0.1 * attempt) / extreme;
    let sumXL = 0;
    let sumL2 = 0;
    for (let i = 0; i < x.length; i++) {
      const code = nearest(inverse * x[i]!, -32, 31);
      other[i] = code;
      const weighted = x[i]! * x[i]! * code;
      sumXL += weighted * x[i]!;
      sumL2 += weighted * code;
    }
    const gain = sumL2 > 0 ? (sumXL * sumXL) / sumL2 : 0;
    if (gain > most) {
      most = gain;
      scale = sumL2 > 0 ? sumXL / sumL2 : 0;
      [best, other] = [other, best];
    }
  }
  return { scale, codes: best };
}

/** Scales that are tried, in tenths of a step. The plain rounding first: another must be better. */
const ATTEMPTS = [0, -9, -8, -7, -6, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 6, 7, 8, 9];
