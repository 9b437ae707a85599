import forward from '../../../shaders/attention.wgsl?raw';
import backwardKV from '../../../shaders/attention_backward_kv.wgsl?raw';
import backwardQ from '../../../shaders/attention_backward_q.wgsl?raw';
import deltaCode from '../../../shaders/attention_delta.wgsl?raw';
import { ceilDiv, spread } from '../grid.ts';
import { Kernel } from '../kernel.ts';
import { view, type View } from '../memory.ts';
import type { Stream } from '../stream.ts';
import { bytesBeside, sumSlices } from './sum-slices.ts';

const shapeParams = { tokens: 'u32', heads: 'u32', kv_heads: 'u32', scale: 'f32' } as const;

const forwardKernel = new Kernel({
  name: 'attention',
  code: forward,
  buffers: ['read', 'read', 'read', 'read', 'read_write', 'read_write'],
  params: shapeParams,
});

const deltaKernel = new Kernel({
  name: 'attention_delta',
  code: deltaCode,
  buffers: ['read', 'read', 'read_write'],
  params: { rows: 'u32' },
});

const backwardKVKernel = new Kernel({
  name: 'attention_backward_kv',
  code: backwardKV,
  buffers: ['read', 'read', 'read', 'read', 'read', 'read', 'read_write', 'read_write'],
  params: { ...shapeParams, parts: 'u32', part_heads: 'u32' },
});

const backwardQKernel = new Kernel({
  name: 'attention_backward_q',
  code: backwardQ,
  buffers: ['read', 'read', 'read', 'read', 'read', 'read', 'read_write'],
  params: shapeParams,
});

/** Tokens per workgroup: queries in the forward and dq, keys in dk and dv. */
const QUERIES = 64;
const KEYS = 32;

/** Causal grouped-query attention over a pass of documents that lie behind one another. */
export interface Attention {
  /** [tokens, heads, headDim] */
  q: View;
  /** [tokens, kvHeads, headDim] */
  k: View;
  /** [tokens, kvHeads, headDim] */
  v: View;
  /**
   * u32 [tokens, 2]: the begin and the end (exclusive) of the token's document. Token i attends begin … i; documents
   * are contiguous, so both columns never fall.
   */
  ranges: View;
  /** f32 [tokens, heads, 2]: log-sum-exp of the query's scaled scores, written by `attention`, and `attentionDelta`'s sum */
  stats: View;
  tokens: number;
  heads: number;
  /** Divides heads: query head h reads key head floor(h / (heads / kvHeads)). */
  kvHeads: number;
  /** A multiple of 4, at most 128. */
  headDim: number;
  /** Factor of the scores, headDim^−½ as a rule. */
  scale: number;
}

/** o = softmax(scale·q·kᵀ)·v, o [tokens, heads, headDim]; writes the log-sum-exp to stats[…, 0]. */
export function attention(stream: Stream, call: Attention & { o: View }): void {
  const { q, k, v, ranges, o, stats, tokens, heads } = call;
  stream.dispatch(forwardKernel, {
    buffers: [q, k, v, ranges, o, stats],
    ...shape(call),
    groups: [ceilDiv(tokens, QUERIES), heads],
    work: 2 * matrixWork(call),
  });
}

/** stats[…, 1] = Σ o·dout over each head of each token: what both backward kernels need besides the log-sum-exp. */
export function attentionDelta(
  stream: Stream,
  {
    o,
    dout,
    stats,
    tokens,
    heads,
    headDim,
  }: { o: View; dout: View; stats: View; tokens: number; heads: number; headDim: number },
): void {
  const rows = tokens * heads;
  stream.dispatch(deltaKernel, {
    buffers: [o, dout, stats],
    params: { rows },
    constants: { HEAD4: headDim / 4 },
    groups: spread(ceilDiv(rows, 16)),
  });
}

/** Workgroups to aim at in dk and dv by sharing out the query heads of a key head. */
const KV_WORKGROUPS = 384;

/** Values that a half of the scratch has room for: dk's are in the first, dv's in the second, each a binding. */
const halfOf = (values: number): number => 64 * ceilDiv(values, 64);

/** f32 values of the `scratch` of attentionBackwardKV for passes of up to `tokens` tokens. */
export function attentionScratch(
  tokens: number,
  { heads, headDim }: { heads: number; headDim: number },
): number {
  return 2 * halfOf(Math.min(tokens * heads, KV_WORKGROUPS * KEYS) * headDim);
}

/**
 * The gradients dk and dv [tokens, kvHeads, headDim] given dout [tokens, heads, headDim]; both columns of stats are
 * set. `scratch` has `attentionScratch` values.
 */
export function attentionBackwardKV(
  stream: Stream,
  call: Attention & { dout: View; dk: View; dv: View; scratch: View },
): void {
  const { q, k, v, dout, stats, ranges, dk, dv, tokens, heads, kvHeads, headDim, scratch } = call;
  const tiles = ceilDiv(tokens, KEYS);
  const shared = heads / kvHeads;
  const partHeads = ceilDiv(shared, Math.max(1, Math.floor(KV_WORKGROUPS / (tiles * kvHeads))));
  const parts = ceilDiv(shared, partHeads);
  const values = tokens * kvHeads * headDim;
  // By what the scratch holds, not by what is used of it: passes of all lengths share their bind groups.
  const half = 256 * Math.floor(scratch.size / 512);
  if (parts > 1 && 4 * parts * values > half)
    throw new Error(`scratch of ${scratch.size} bytes is too small`);
  const [k0, v0] =
    parts > 1
      ? [view(scratch.buffer, scratch.offset, half), view(scratch.buffer, scratch.offset + half, half)]
      : [dk, dv];
  const { params, constants } = shape(call);
  stream.dispatch(backwardKVKernel, {
    buffers: [q, k, v, dout, stats, ranges, k0, v0],
    bytes: bytesBeside([q, k, v, dout, stats, ranges], 2 * parts * values),
    params: { ...params, parts, part_heads: partHeads },
    constants,
    groups: [tiles, kvHeads * parts],
    work: 4 * matrixWork(call),
  });
  if (parts === 1) return;
  sumSlices(stream, { slices: k0, y: dk, count: parts, values });
  sumSlices(stream, { slices: v0, y: dv, count: parts, values });
}

/** The gradient dq [tokens, heads, headDim] given dout [tokens, heads, headDim]; both columns of stats are set. */
export function attentionBackwardQ(stream: Stream, call: Attention & { dout: View; dq: View }): void {
  const { q, k, v, dout, stats, ranges, dq, tokens, heads } = call;
  stream.dispatch(backwardQKernel, {
    buffers: [q, k, v, dout, stats, ranges, dq],
    ...shape(call),
    groups: [ceilDiv(tokens, QUERIES), heads],
    work: 3 * matrixWork(call),
  });
}

function shape({ tokens, heads, kvHeads, headDim, scale }: Attention) {
  return { params: { tokens, heads, kv_heads: kvHeads, scale }, constants: { HEAD4: headDim / 4 } };
}

/** Operations of one of attention's matrix products over the causal half, as if the pass were one document. */
function matrixWork({ tokens, heads, headDim }: Attention): number {
  return tokens * tokens * heads * headDim;
}
