// Reference: T. Dao, D. Haziza, F. Massa, G. Sizov, "Flash-Decoding for long-context inference",
// https://pytorch.org/blog/flash-decoding/.
import code from '../../../../shaders/attention/attention_decode.wgsl';
import mergeCode from '../../../../shaders/attention/attention_decode_merge.wgsl';
import { ceilDiv } from '../../grid.ts';
import { Kernel } from '../../kernel.ts';
import type { BufferView } from '../../memory.ts';
import type { Stream } from '../../stream.ts';
import { scatterRows } from '../embedding.ts';

const kernel = new Kernel({
  name: 'attention_decode',
  code,
  buffers: ['read', 'read', 'read', 'read', 'read_write', 'read_write'],
  params: { heads: 'u32', kv_heads: 'u32', scale: 'f32' },
});

const mergeKernel = new Kernel({
  name: 'attention_decode_merge',
  code: mergeCode,
  buffers: ['read', 'read', 'read_write'],
  params: { heads: 'u32', splits: 'u32' },
});

/**
 * Keys per workgroup. Fixed, so that a sequence's result depends on its own keys only, not on its neighbors or the
 * capacity.
 */
const SPLIT = 128;

/** Size in f32 values of the `scratch` of attentionDecode. */
export function attentionDecodeScratch(shape: {
  sequences: number;
  capacity: number;
  heads: number;
  headDim: number;
}): number {
  const { sequences, capacity, heads, headDim } = shape;
  return sequences * heads * ceilDiv(capacity, SPLIT) * (headDim + 4);
}

/** One new token per sequence against the keys and values of a cache. D = headDim. */
interface AttentionDecode {
  /** f32 [sequences, heads, D] */
  q: BufferView;
  /** f32 [slots, kvHeads, D] */
  k: BufferView;
  /** f32 [slots, kvHeads, D] */
  v: BufferView;
  /** f32 [sequences, heads, D] */
  o: BufferView;
  /** u32 [sequences, 2]: first and end (exclusive) slot of each sequence's keys, including the new token's. */
  ranges: BufferView;
  sequences: number;
  /** Maximum keys of a sequence. */
  capacity: number;
  heads: number;
  /** Divides heads: query head h reads key head floor(h / (heads / kvHeads)). */
  kvHeads: number;
  /** A multiple of 4, at most 128. */
  headDim: number;
  /** Factor applied to the scores, usually D^−½. */
  scale: number;
  /** f32 [attentionDecodeScratch(…)] */
  scratch: BufferView;
}

/** o = softmax(scale·q·kᵀ)·v over each sequence's slots; every range must be non-empty. */
export function attentionDecode(stream: Stream, call: AttentionDecode): void {
  const { q, k, v, o, ranges, scratch, sequences, capacity, heads, kvHeads, headDim, scale } = call;
  const splits = ceilDiv(capacity, SPLIT);
  const constants = { HEAD4: headDim / 4 };
  const outputs = sequences * heads * headDim;
  const partial = splits === 1 ? 0 : attentionDecodeScratch(call);
  stream.dispatch(kernel, {
    // The longest that the sequences can be: the host does not look at their ranges.
    bytes: 8 * sequences * capacity * kvHeads * headDim + 4 * (outputs + (splits === 1 ? outputs : partial)),
    buffers: [q, k, v, ranges, o, scratch],
    params: { heads, kv_heads: kvHeads, scale },
    constants,
    groups: [sequences, heads, splits],
  });
  if (splits === 1) {
    return;
  }
  stream.dispatch(mergeKernel, {
    bytes: 4 * (partial + outputs),
    buffers: [scratch, ranges, o],
    params: { heads, splits },
    constants,
    groups: [sequences, heads],
  });
}

/** cache[slots[t]] = x[t] for rows of `width` f32 (a multiple of 4); slots u32 [tokens], distinct. */
export function cacheWrite(
  stream: Stream,
  {
    x,
    slots,
    cache,
    tokens,
    width,
  }: { x: BufferView; slots: BufferView; cache: BufferView; tokens: number; width: number },
): void {
  scatterRows(stream, { x, index: slots, y: cache, count: tokens, width });
}
