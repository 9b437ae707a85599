import deltaCode from '../../../../shaders/attention/attention_delta.wgsl?raw';
import { ceilDiv, spread } from '../../grid.ts';
import { Kernel } from '../../kernel.ts';
import { view, type BufferView } from '../../memory.ts';
import type { Stream } from '../../stream.ts';
import { sumSlices } from '../shared/sum-slices.ts';

const deltaKernel = new Kernel({
  name: 'attention_delta',
  code: deltaCode,
  buffers: ['read', 'read', 'read_write'],
  params: { rows: 'u32' },
});

/** Causal grouped-query attention over a pass of documents that lie behind one another. */
export interface Attention {
  /** [tokens, heads, headDim] */
  q: BufferView;
  /** [tokens, kvHeads, headDim] */
  k: BufferView;
  /** [tokens, kvHeads, headDim] */
  v: BufferView;
  /**
   * u32 [tokens, 2]: the begin and the end (exclusive) of the token's document. Token i attends begin … i; documents
   * are contiguous, so both columns never fall.
   */
  ranges: BufferView;
  /** f32 [tokens, heads, 2]: log-sum-exp of the query's scaled scores, which the forward pass writes, and `attentionDelta`'s sum */
  stats: BufferView;
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
export type AttentionForward = Attention & { o: BufferView };

/**
 * The gradients dk and dv [tokens, kvHeads, headDim] given dout [tokens, heads, headDim]; both columns of stats are
 * set. `scratch` has `attentionScratch` values.
 */
export type AttentionKeys = Attention & {
  dout: BufferView;
  dk: BufferView;
  dv: BufferView;
  scratch: BufferView;
};

/** The gradient dq [tokens, heads, headDim] given dout [tokens, heads, headDim]; both columns of stats are set. */
export type AttentionQueries = Attention & { dout: BufferView; dq: BufferView };

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
  }: { o: BufferView; dout: BufferView; stats: BufferView; tokens: number; heads: number; headDim: number },
): void {
  const rows = tokens * heads;
  stream.dispatch(deltaKernel, {
    buffers: [o, dout, stats],
    params: { rows },
    constants: { HEAD4: headDim / 4 },
    groups: spread(ceilDiv(rows, 16)),
  });
}

/** Keys of all key heads that workgroups should have, together: the query heads of a key head are shared out for that. */
const KEYS_AT_ONCE = 384 * 32;

/** Values that a half of the scratch has room for: dk's are in the first, dv's in the second, each a binding. */
const halfOf = (values: number): number => 64 * ceilDiv(values, 64);

/** f32 values of the `scratch` of dk and dv for passes of up to `tokens` tokens. */
export function attentionScratch(
  tokens: number,
  { heads, headDim }: { heads: number; headDim: number },
): number {
  return 2 * halfOf(Math.min(tokens * heads, KEYS_AT_ONCE) * headDim);
}

/**
 * Shares the query heads of each key head out among workgroups of `keys` keys, `partHeads` to each of `parts`; their
 * gradients [parts, tokens, kvHeads, headDim] go to `dk` and `dv`, which `add` then adds up in the order of the parts.
 */
export function shareHeads(
  { tokens, heads, kvHeads, headDim, scratch, dk, dv }: AttentionKeys,
  keys: number,
): { parts: number; partHeads: number; dk: BufferView; dv: BufferView; add: (stream: Stream) => void } {
  const shared = heads / kvHeads;
  const most = Math.floor(KEYS_AT_ONCE / (keys * ceilDiv(tokens, keys) * kvHeads));
  const partHeads = ceilDiv(shared, Math.max(1, most));
  const parts = ceilDiv(shared, partHeads);
  if (parts === 1) return { parts, partHeads, dk, dv, add: () => undefined };
  const values = tokens * kvHeads * headDim;
  // By what the scratch holds, not by what is used of it: passes of all lengths share their bind groups.
  const half = 256 * Math.floor(scratch.size / 512);
  if (4 * parts * values > half) throw new Error(`scratch of ${scratch.size} bytes is too small`);
  const [k0, v0] = [0, half].map((at) => view(scratch.buffer, scratch.offset + at, half));
  return {
    ...{ parts, partHeads, dk: k0!, dv: v0! },
    add(stream) {
      sumSlices(stream, { slices: k0!, y: dk, count: parts, values });
      sumSlices(stream, { slices: v0!, y: dv, count: parts, values });
    },
  };
}

/**
 * Most operations of one dispatch of attention. The slowest GPU in mind does 2 TFLOP/s, a tenth of that in attention:
 * 0.15 s, which no watchdog and few users notice.
 */
export const MAX_WORK = 30e9;

/** Pairs of a query and a key that it sees, for queries `begin` … `end` of one document. */
export const pairsOfQueries = (begin: number, end: number): number =>
  (end * (end + 1) - begin * (begin + 1)) / 2;

/** The same for keys `begin` … `end` of a document of so many tokens. */
export const pairsOfKeys = (begin: number, end: number, tokens: number): number =>
  (end - begin) * tokens - (end * (end - 1) - begin * (begin - 1)) / 2;

/** Some of a kernel's tiles, and the operations that they take. */
export interface TileRange {
  first: number;
  count: number;
  work: number;
}

/** Runs of tiles of at most `most` operations, or of one tile; `workOf`: operations of each tile. */
export function cutTiles(tiles: number, workOf: (tile: number) => number, most: number): TileRange[] {
  const ranges: TileRange[] = [];
  for (let tile = 0; tile < tiles; tile++) {
    const work = workOf(tile);
    const range = ranges.at(-1);
    if (range && range.work + work <= most) {
      range.count++;
      range.work += work;
    } else ranges.push({ first: tile, count: 1, work });
  }
  return ranges;
}
