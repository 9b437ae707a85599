// References: T. Dettmers et al., "QLoRA", arXiv:2305.14314 (NF4, double quantization); bitsandbytes,
// csrc/kernels.cu.
import type { Constants } from '../../kernel.ts';
import type { BufferView } from '../../memory.ts';
import { type FloatFormat, FORMAT_CODE } from '../shared/float-format.ts';

/** Storage format of a linear weight that is not quantized. */
export type DenseFormat = Exclude<FloatFormat, 'f32'>;

/** An NF4 weight [N = columns, K = depth] on the device: N output features, K input features, K a multiple of 32. */
export interface Nf4Weight {
  columns: number;
  depth: number;
  /** 16 bytes per 32 consecutive k of a row, ordered [K/32][N]. */
  codes: BufferView;
  /** f32 [N·K/64] or, double-quantized, the u32 words that `nested` describes. */
  scales: BufferView;
  /**
   * Double quantization: `scales` begins with the 8-bit codes of the scales; one absmax per 2^shift codes starts at
   * word `absmaxAt`, the 256 values of the map at word `mapAt`. scale = map[code]·absmax + offset.
   */
  nested?: { absmaxAt: number; mapAt: number; shift: number; offset: number };
}

/** A weight that the checkpoint keeps in 16 bits, [N = columns, K = depth]; K is a multiple of 32. */
export interface DenseWeight {
  columns: number;
  depth: number;
  /** Row-major, as in the file. */
  values: BufferView;
  format: DenseFormat;
}

/** The frozen weight of a linear layer on the device. */
export type LinearWeight = Nf4Weight | DenseWeight;

/** A LoRA pair as one dispatch needs it: activations of rank r, and the matrix that multiplies them. */
export interface LoraFactor {
  /** [T, r], LoRA scaling included. */
  activations: BufferView;
  /** B [N, r] forward, A [r, K] for the gradient. */
  matrix: BufferView;
  rank: number;
}

const NESTED_PARAMS = { absmax_at: 'u32', map_at: 'u32', nested_shift: 'u32', offset: 'f32' } as const;

/** Parameters of every kernel for y = x·wᵀ. */
export const FORWARD_PARAMS = {
  rows: 'u32',
  out_features: 'u32',
  in_features: 'u32',
  rank: 'u32',
  has_bias: 'u32',
  has_residual: 'u32',
  ...NESTED_PARAMS,
} as const;

/** Parameters of every kernel for dx = dy·w. */
export const GRAD_PARAMS = {
  rows: 'u32',
  out_features: 'u32',
  in_features: 'u32',
  rank: 'u32',
  accumulate: 'u32',
  ...NESTED_PARAMS,
} as const;

/** Offsets of the parts of double-quantized scales, as a kernel's parameters. */
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

/** Override constants that tell a kernel how to read a weight. */
export const weightConstants = (weight: LinearWeight) =>
  'format' in weight
    ? { NESTED: 0, STORED: 1 + FORMAT_CODE[weight.format] }
    : { NESTED: Number(!!weight.nested), STORED: 0 };

/** The same together with a tile's: one object for each way to read a weight, since each dispatch looks them up. */
export function constantsWith(tile: Constants): (weight: LinearWeight) => Constants {
  const made = new Map<number, Constants>();
  return (weight) => {
    const { NESTED, STORED } = weightConstants(weight);
    const key = 2 * STORED + NESTED;
    let constants = made.get(key);
    if (!constants) {
      made.set(key, (constants = { NESTED, STORED, ...tile }));
    }
    return constants;
  };
}

/** What products with the same input leave for one another above f32; each updates it. */
export interface SharedInput {
  /** Whether `rowScales` holds the scales of the input's rows. */
  scaled: boolean;
}

/** Operands of a product that are packed by tile already. */
export interface PreparedOperands {
  /** f16 [rows, across]: of each row the input, then LoRA's activations behind `passedOver` of other products. */
  readonly left: BufferView;
  readonly right: BufferView;
  readonly across: number;
  readonly passedOver: number;
  /** Packs `right`, where that is to be done when the product's turn comes. */
  readonly packWeight?: (() => void) | undefined;
}

export interface Nf4Matmul {
  /** f32 [rows, K] */
  x: BufferView;
  weight: LinearWeight;
  /** f32 [rows, N] */
  y: BufferView;
  rows: number;
  lora?: LoraFactor | undefined;
  /** f32 [N] */
  bias?: BufferView | undefined;
  /** f32 [rows, N]; must not overlap y. */
  residual?: BufferView | undefined;
  /** f32 [rows], scratch of the precisions above f32. */
  rowScales?: BufferView | undefined;
  /** Scratch for packed operands; the less there is, the more parts the rows are packed in (see packedBytes). */
  scratch?: BufferView | undefined;
  /** Of products that take the same x, `rowScales` and `scratch` one after the other. */
  shared?: SharedInput | undefined;
  /** What the variant's `prepare` made for it. */
  prepared?: PreparedOperands | undefined;
}

export interface Nf4MatmulGrad {
  /** f32 [rows, N]; N a multiple of 4. */
  dy: BufferView;
  weight: LinearWeight;
  /** f32 [rows, K] */
  dx: BufferView;
  rows: number;
  /** v = scaling·dy·B, and A. */
  lora?: LoraFactor | undefined;
  /** Add to dx instead of overwriting it. */
  accumulate: boolean;
  /** f32 [rows], scratch of the precisions above f32. */
  rowScales?: BufferView | undefined;
  /** As in Nf4Matmul. */
  scratch?: BufferView | undefined;
  prepared?: PreparedOperands | undefined;
}
