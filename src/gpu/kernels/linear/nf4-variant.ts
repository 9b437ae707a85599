import type { Gpu } from '../../device.ts';
import type { Stream } from '../../stream.ts';
import type { Nf4Matmul, Nf4MatmulGrad } from './nf4-operands.ts';

/**
 * Precisions of the large products, in the order in which `auto` prefers the later: f32 throughout; f16 operands with
 * f32 sums; subgroup matrices, where the device offers them, also with f32 sums.
 */
export const PRECISIONS = ['f32', 'f16', 'matrix'] as const;
export type Precision = (typeof PRECISIONS)[number];

/** One way to compute something: variants of one precision differ in speed and rounding only. */
export interface Variant<Call> {
  /** What the run plan calls it; a tile "f32 64x128x16" is of rows × columns × depth, "by 8x4" a thread. */
  readonly name: string;
  readonly precision: Precision;
  /** Whether the device has what it needs. */
  supported(gpu: Gpu): boolean;
  dispatch(stream: Stream, call: Call): void;
}

export type Nf4ForwardVariant = Variant<Nf4Matmul>;
export type Nf4GradVariant = Variant<Nf4MatmulGrad>;
