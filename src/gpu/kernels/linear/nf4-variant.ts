import type { Gpu } from '../../device.ts';
import type { Stream } from '../../stream.ts';
import type { Nf4Matmul, Nf4MatmulGrad, PreparedOperands } from './nf4-operands.ts';

/**
 * Precisions of the large products, in ascending order of `auto`'s preference: f32 throughout; f16 operands with
 * f32 sums; subgroup matrices, where the device offers them, also with f32 sums.
 */
export const PRECISIONS = ['f32', 'f16', 'matrix'] as const;
export type Precision = (typeof PRECISIONS)[number];

/** One way to compute an operation: variants of one precision differ in speed and rounding only. */
export interface Variant<Call> {
  /**
   * Its name in execution plans. A tile "f32 64x128x16" is rows × columns × depth; "by 8x4" is the part of one
   * thread.
   */
  readonly name: string;
  readonly precision: Precision;
  /** Rows and columns of a workgroup, which computes all of them, needed or not; of f32 in one slice only. */
  readonly tile?: { rows: number; columns: number };
  /** Whether the device supports it. */
  supported(gpu: Gpu): boolean;
  dispatch(stream: Stream, call: Call): void;
}

/** One way to compute products. */
interface ProductVariant<Call> extends Variant<Call> {
  /**
   * Prepares the operands of up to three products of the same rows and scratch, to be dispatched in this order before
   * anything else uses the scratch. LoRA's activations are in one buffer, its matrices in another. Those of a gradient
   * have row scales of their own, in one buffer. Undefined where each has to prepare its own.
   */
  prepare?(stream: Stream, calls: readonly Call[]): readonly PreparedOperands[] | undefined;
}

export type Nf4ForwardVariant = ProductVariant<Nf4Matmul>;
export type Nf4GradVariant = ProductVariant<Nf4MatmulGrad>;
