import type { BufferView } from '../../memory.ts';
import { FORMAT_CODE, type FloatFormat } from '../shared/float-format.ts';

/** How a linear weight that is not quantised may be stored. */
export type DenseFormat = Exclude<FloatFormat, 'f32'>;

/** An NF4 weight [columns = out, depth = in] on the device; depth is a multiple of 32. */
export interface Nf4Weight {
  columns: number;
  depth: number;
  /** 16 bytes per 32 consecutive k of a row, ordered [depth/32][columns]. */
  codes: BufferView;
  /** f32 [columns·depth/64], or, double-quantised, the u32 words that `nested` describes. */
  scales: BufferView;
  /**
   * Double quantisation: `scales` begins with the 8-bit codes of the scales; absmax of blocks of 2^shift codes lie
   * at word `absmaxAt`, the 256 values of the map at word `mapAt`. scale = map[code]·absmax + offset.
   */
  nested?: { absmaxAt: number; mapAt: number; shift: number; offset: number };
}

/** A weight that the checkpoint keeps in 16 bits, [columns = out, depth = in]; depth is a multiple of 32. */
export interface DenseWeight {
  columns: number;
  depth: number;
  /** Row by row, as in the file. */
  values: BufferView;
  format: DenseFormat;
}

/** The frozen weight of a linear layer on the device. */
export type LinearWeight = Nf4Weight | DenseWeight;

/** A LoRA pair as one dispatch needs it: the activations of rank `rank` and the matrix they meet. */
export interface LoraFactor {
  /** [tokens, rank], scaling included. */
  activations: BufferView;
  /** B [out, rank] forward, A [rank, in] for the gradient. */
  matrix: BufferView;
  rank: number;
}

const NESTED_PARAMS = { absmax_at: 'u32', map_at: 'u32', nested_shift: 'u32', offset: 'f32' } as const;

/** Parameters of every kernel for y = x·wᵀ. */
export const FORWARD_PARAMS = {
  rows: 'u32',
  columns: 'u32',
  depth: 'u32',
  rank: 'u32',
  has_bias: 'u32',
  has_residual: 'u32',
  ...NESTED_PARAMS,
} as const;

/** Parameters of every kernel for dx = dy·w. */
export const GRAD_PARAMS = {
  rows: 'u32',
  columns: 'u32',
  depth: 'u32',
  rank: 'u32',
  accumulate: 'u32',
  ...NESTED_PARAMS,
} as const;

/** Where a kernel finds the parts of double-quantised scales. */
export function nestedParams(weight: LinearWeight) {
  const nested = 'format' in weight ? undefined : weight.nested;
  return {
    absmax_at: nested?.absmaxAt ?? 0,
    map_at: nested?.mapAt ?? 0,
    nested_shift: nested?.shift ?? 0,
    offset: nested?.offset ?? 0,
  };
}

/** What a kernel binds as `codes` and `scales`; a dense weight has no scales, and none are read. */
export const weightBuffers = (weight: LinearWeight): [codes: BufferView, scales: BufferView] =>
  'format' in weight ? [weight.values, weight.values] : [weight.codes, weight.scales];

/** How a kernel reads a weight. */
export const weightConstants = (weight: LinearWeight) =>
  'format' in weight
    ? { NESTED: 0, STORED: 1 + FORMAT_CODE[weight.format] }
    : { NESTED: Number(!!weight.nested), STORED: 0 };

export interface Nf4Matmul {
  /** [rows, depth] */
  x: BufferView;
  weight: LinearWeight;
  /** [rows, columns] */
  y: BufferView;
  rows: number;
  lora?: LoraFactor | undefined;
  /** [columns] */
  bias?: BufferView | undefined;
  /** [rows, columns]; another buffer range than y. */
  residual?: BufferView | undefined;
  /** [rows] f32, scratch of the precisions above f32. */
  rowScales?: BufferView | undefined;
  /** Whether an earlier call on such a precision has left there what it found in this very x. */
  scaled?: boolean;
}

export interface Nf4MatmulGrad {
  /** [rows, columns]; columns a multiple of 4. */
  dy: BufferView;
  weight: LinearWeight;
  /** [rows, depth] */
  dx: BufferView;
  rows: number;
  /** v = scaling·dy·b and A. */
  lora?: LoraFactor | undefined;
  /** Add to dx instead of replacing it. */
  accumulate: boolean;
  /** [rows] f32, scratch of the precisions above f32. */
  rowScales?: BufferView | undefined;
}
