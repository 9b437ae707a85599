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
    const fits = Array.from({ length: 8 }, (_, j) => fitAffine(x, form, codes, 32 * j));
    const at = size * block;
    const [largestScale, largestMin] = [
      Math.max(...fits.map(({ scale }) => scale)),
      Math.max(...fits.map(({ min }) => min)),
    ];
    const d = setHalf(out, at, largestScale / 63);
    const dmin = setHalf(out, at + 2, largestMin / 63);
    for (const [j, { scale, min }] of fits.entries()) {
      const scale6 = largestScale > 0 ? nearest((63 * scale) / largestScale, 0, 63) : 0;
      const min6 = largestMin > 0 ? nearest((63 * min) / largestMin, 0, 63) : 0;
      packScales(out, at + 4, j, scale6, min6);
      const step = d * scale6;
      for (let i = 32 * j; step !== 0 && i < 32 * (j + 1); i++) {
        codes[i] = nearest((x[i]! + dmin * min6) / step, 0, top);
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

/** The sub-block at hand in f64: its values, how far they are above the lowest, and their weights. */
const [own, above, weights] = [new Float64Array(32), new Float64Array(32), new Float64Array(32)];

/** What a sub-block was fitted by. */
interface Fit {
  scale: number;
  /** What is subtracted; at least 0. */
  min: number;
}

/**
 * Scale, minimum and codes with the least weighted squared error, among roundings by several scales, each followed by
 * the least-squares line through its codes. Larger values weigh more. The codes go to `codes`, from `at` on.
 */
function fitAffine(x: Float32Array, { bits, first, tries }: Affine, codes: Uint8Array, at: number): Fit {
  const top = 2 ** bits - 1;
  let [low, high, squares] = [x[at]!, x[at]!, 0];
  for (let i = 0; i < 32; i++) {
    const value = (own[i] = x[at + i]!);
    low = Math.min(low, value);
    high = Math.max(high, value);
    squares += value * value;
  }
  low = Math.min(low, 0);
  if (low === high) {
    codes.fill(0, at, at + 32);
    return { scale: 0, min: -low };
  }
  const mean = Math.sqrt(squares / 32);
  let [sumW, sumX, sumX2] = [0, 0, 0];
  for (let i = 0; i < 32; i++) {
    const value = own[i]!;
    above[i] = value - low;
    const weight = (weights[i] = mean + Math.abs(value));
    const weighted = weight * value;
    sumW += weight;
    sumX += weighted;
    sumX2 += weighted * value;
  }
  let scale = (high - low) / top;
  let offset = low;
  let inverse = 1 / scale;
  let least = errorOf(inverse, top, scale, offset);
  const slack = SLACK * sumX2;
  for (let attempt = 0; attempt < tries; attempt++) {
    const tried = (top + first + 0.1 * attempt) / (high - low);
    let [sumL, sumL2, sumXL] = [0, 0, 0];
    for (let i = 0; i < 32; i++) {
      const rounded = tried * above[i]! + ROUNDER - ROUNDER;
      const code = rounded > top ? top : rounded;
      const weighted = weights[i]! * code;
      sumL += weighted;
      sumL2 += weighted * code;
      sumXL += weighted * own[i]!;
    }
    // The weighted least-squares line from codes to values, whose offset is at most 0.
    const determinant = sumW * sumL2 - sumL * sumL;
    if (determinant <= 0) {
      continue;
    }
    let lineOffset = (sumL2 * sumX - sumL * sumXL) / determinant;
    let lineScale = (sumW * sumXL - sumX * sumL) / determinant;
    if (lineOffset > 0) {
      lineOffset = 0;
      lineScale = sumXL / sumL2;
    }
    // At the least squares, what is left of the squares is this, but for rounding: mostly no more need be known.
    const about = sumX2 - lineScale * sumXL - lineOffset * sumX;
    if (about > least + slack) {
      continue;
    }
    const error = errorOf(tried, top, lineScale, lineOffset);
    if (error < least) {
      least = error;
      scale = lineScale;
      offset = lineOffset;
      inverse = tried;
    }
  }
  for (let i = 0; i < 32; i++) {
    codes[at + i] = nearest(inverse * above[i]!, 0, top);
  }
  return { scale, min: -offset };
}

/** Far more than sums of 32 are rounded by, as a share of the weighted squares. */
const SLACK = 1e-6;

/** Weighted squared error of the codes that `inverse` gives. */
function errorOf(inverse: number, top: number, scale: number, offset: number): number {
  let error = 0;
  for (let i = 0; i < 32; i++) {
    const rounded = inverse * above[i]! + ROUNDER - ROUNDER;
    const code = rounded > top ? top : rounded;
    const off = scale * code + offset - own[i]!;
    error += weights[i]! * off * off;
  }
  return error;
}

/** Scales smaller than this count as zero. */
const TINY = 1e-15;

/** 16 sub-blocks of 16, each scale · code with scales of 8 bits and codes of 6, -32 to 31. */
export function quantizeQ6K(values: Float32Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array((values.length / SUPER) * 210);
  const codes = new Uint8Array(SUPER);
  const scales = new Float64Array(16);
  for (let block = 0; block < values.length / SUPER; block++) {
    const x = values.subarray(SUPER * block, SUPER * (block + 1));
    let extreme = 0;
    for (let j = 0; j < 16; j++) {
      const scale = (scales[j] = fitScale(x, codes, 16 * j));
      extreme = Math.abs(scale) > Math.abs(extreme) ? scale : extreme;
    }
    if (Math.abs(extreme) < TINY) {
      continue;
    }
    const at = 210 * block;
    const d = setHalf(out, at + 208, extreme / -128);
    for (let j = 0; j < 16; j++) {
      const scale8 = nearest((-128 * scales[j]!) / extreme, -128, 127);
      out[at + 192 + j] = scale8;
      const step = d * scale8;
      for (let i = 16 * j; step !== 0 && i < 16 * (j + 1); i++) {
        codes[i] = 32 + nearest(x[i]! / step, -32, 31);
      }
    }
    for (let i = 0; i < SUPER; i++) {
      // Halves of 128: lanes of 32, whose low four bits go two to a byte and high two bits four to a byte.
      const half = i >> 7;
      const quarter = (i >> 5) & 3;
      const lane = i & 31;
      out[at + 64 * half + 32 * (quarter & 1) + lane]! |= (codes[i]! & 15) << (4 * (quarter >> 1));
      out[at + 128 + 32 * half + lane]! |= (codes[i]! >> 4) << (2 * quarter);
    }
  }
  return out;
}

/**
 * Scale and codes of 16 values with the least squared error, weighted by the squares: among roundings by several scales,
 * each followed by the least-squares scale of its codes. The codes go to `codes`, from `at` on, 32 above their values.
 */
function fitScale(x: Float32Array, codes: Uint8Array, at: number): number {
  let extreme = 0;
  for (let i = 0; i < 16; i++) {
    const value = (own[i] = x[at + i]!);
    extreme = Math.abs(value) > Math.abs(extreme) ? value : extreme;
    weights[i] = value * value;
  }
  if (Math.abs(extreme) < TINY) {
    codes.fill(32, at, at + 16);
    return 0;
  }
  let [scale, most, best] = [0, -1, 0];
  for (const attempt of ATTEMPTS) {
    const inverse = -(32 + 0.1 * attempt) / extreme;
    let [sumXL, sumL2] = [0, 0];
    for (let i = 0; i < 16; i++) {
      const value = own[i]!;
      const code = nearest(inverse * value, -32, 31);
      const weighted = weights[i]! * code;
      sumXL += weighted * value;
      sumL2 += weighted * code;
    }
    const gain = sumL2 > 0 ? (sumXL * sumXL) / sumL2 : 0;
    if (gain > most) {
      most = gain;
      scale = sumL2 > 0 ? sumXL / sumL2 : 0;
      best = inverse;
    }
  }
  for (let i = 0; i < 16; i++) {
    codes[at + i] = 32 + nearest(best * own[i]!, -32, 31);
  }
  return scale;
}

/** Scales that are tried, in tenths of a step. The plain rounding first: another must be better. */
const ATTEMPTS = [0, -9, -8, -7, -6, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 6, 7, 8, 9];
