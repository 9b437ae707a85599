import type { Stream } from '../../stream.ts';
import type { Variant } from '../linear/nf4-variant.ts';
import type { Attention } from './attention.ts';

/** The shape of a model's attention. */
export type Heads = Pick<Attention, 'heads' | 'kvHeads' | 'headDim'>;

/** One way to compute attention or one of its gradients. */
export interface AttentionVariant<Call> extends Variant<Call> {
  /** Whether it supports such heads. */
  fits(heads: Heads): boolean;
  /** Splits work above `most` operations into several dispatches; the result is the same to the bit. */
  dispatch(stream: Stream, call: Call, most?: number): void;
}
