import code from '../../../../shaders/attention/attention_decode.wgsl?raw';
import mergeCode from '../../../../shaders/attention/attention_decode_merge.wgsl?raw';
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

/** Keys of a workgroup: what a sequence gets depends on its own keys only, not on its neighbours or the capacity. */
const SPLIT = 128;

/** f32 values of the `scratch` of attentionDecode. */
export function attentionDecodeScratch(shape: {
  sequences: number;
  capacity: number;
  heads: number;
  headDim: number;
}): number {
  const { sequences, capacity, heads, headDim } = shape;
  return sequences * heads * ceilDiv(capacity, SPLIT) * (headDim + 4);
}

/** One new token per sequence against the keys and values of a cache. */
export interface AttentionDecode {
  /** [sequences, heads, headDim] */
  q: BufferView;
  /** [slots, kvHeads, headDim] */
  k: BufferView;
  /** [slots, kvHeads, headDim] */
  v: BufferView;
  /** [sequences, heads, headDim] */
  o: BufferView;
  /** u32 [sequences, 2]: the first slot and the end slot (exclusive) of each sequence's keys, the new token's among them */
  ranges: BufferView;
  sequences: number;
  /** The most keys that a sequence may have. */
  capacity: number;
  heads: number;
  /** Divides heads: query head h reads key head floor(h / (heads / kvHeads)). */
  kvHeads: number;
  /** A multiple of 4, at most 128. */
  headDim: number;
  /** Factor of the scores, headDim^−½ as a rule. */
  scale: number;
  /** f32 [attentionDecodeScratch] */
  scratch: BufferView;
}

/** o = softmax(scale·q·kᵀ)·v over each sequence's slots; no range is empty. */
export function attentionDecode(stream: Stream, call: AttentionDecode): void {
  const { q, k, v, o, ranges, scratch, sequences, capacity, heads, kvHeads, headDim, scale } = call;
  const splits = ceilDiv(capacity, SPLIT);
  const constants = { HEAD4: headDim / 4 };
  stream.dispatch(kernel, {
    buffers: [q, k, v, ranges, o, scratch],
    params: { heads, kv_heads: kvHeads, scale },
    constants,
    groups: [sequences, heads, splits],
  });
  if (splits === 1) return;
  stream.dispatch(mergeKernel, {
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
