import type { Stream } from '../../stream.ts';
import type { Attention } from './attention.ts';
import type { Variant } from '../linear/nf4-variant.ts';

/** What a model's attention is like. */
export type Heads = Pick<Attention, 'heads' | 'kvHeads' | 'headDim'>;

/** One way to compute attention or a gradient of it. */
export interface AttentionVariant<Call> extends Variant<Call> {
  /** Whether it can compute attention with such heads. */
  fits(heads: Heads): boolean;
  /** In several dispatches of at most `most` operations where there are more, with the same result to the bit. */
  dispatch(stream: Stream, call: Call, most?: number): void;
}
