import type { Stream } from '../../stream.ts';
import type { AttentionForward, AttentionKeys, AttentionQueries } from './attention.ts';
import { PACKED_ATTENTION, PACKED_KEYS, PACKED_QUERIES } from './packed.ts';
import { MATRIX_FORWARD, MATRIX_KEYS, MATRIX_QUERIES } from './subgroup-matrix.ts';
import { TILE_ATTENTION_FORWARD, TILE_KEYS, TILE_QUERIES } from './tiles.ts';
import type { AttentionVariant } from './variant.ts';

/** The parts of attention that are tuned separately, by their names in execution plans, and their arguments. */
export interface AttentionCalls {
  attention: AttentionForward;
  'attention keys': AttentionKeys;
  'attention queries': AttentionQueries;
}
export type AttentionClass = keyof AttentionCalls;

/** All variants of each part. Within a precision, the first that the device supports and that fits is the default. */
export const ATTENTIONS: { readonly [C in AttentionClass]: readonly AttentionVariant<AttentionCalls[C]>[] } =
  {
    attention: [...TILE_ATTENTION_FORWARD, PACKED_ATTENTION, MATRIX_FORWARD],
    'attention keys': [...TILE_KEYS, PACKED_KEYS, MATRIX_KEYS],
    'attention queries': [...TILE_QUERIES, PACKED_QUERIES, MATRIX_QUERIES],
  };

export const ATTENTION_CLASSES = Object.keys(ATTENTIONS) as AttentionClass[];

/** o = softmax(scale·q·kᵀ)·v within documents. */
export function attention(
  stream: Stream,
  call: AttentionForward,
  variant: AttentionVariant<AttentionForward> = TILE_ATTENTION_FORWARD[0]!,
): void {
  variant.dispatch(stream, call);
}

/** Gradients dk and dv of `attention`. */
export function attentionBackwardKV(
  stream: Stream,
  call: AttentionKeys,
  variant: AttentionVariant<AttentionKeys> = TILE_KEYS[0]!,
): void {
  variant.dispatch(stream, call);
}

/** Gradient dq of `attention`. */
export function attentionBackwardQ(
  stream: Stream,
  call: AttentionQueries,
  variant: AttentionVariant<AttentionQueries> = TILE_QUERIES[0]!,
): void {
  variant.dispatch(stream, call);
}
