// References: T. Dao, "FlashAttention-2", arXiv:2307.08691 (tiled forward and backward); T. Dao et al.,
// "FlashAttention", arXiv:2205.14135 (log-sum-exp and Σ o·dout instead of the stored probabilities); J. Ainslie et
// al., "GQA", arXiv:2305.13245.
import deltaCode from '../../../../shaders/attention/attention_delta.wgsl';
import { ceilDiv, spread } from '../../grid.ts';
import { Kernel } from '../../kernel.ts';
import { type BufferView, view } from '../../memory.ts';
import type { Stream } from '../../stream.ts';
import { sumSlices } from '../shared/sum-slices.ts';

const deltaKernel = new Kernel({
  name: 'attention_delta',
  code: deltaCode,
  buffers: ['read', 'read', 'read_write'],
  params: { rows: 'u32' },
});

const SHAPE_PARAMS = { tokens: 'u32', heads: 'u32', kv_heads: 'u32', scale: 'f32' } as const;
/** Parameters of every kernel for attention; `last_tile` is the last of the dispatch's tiles of queries. */
export const ATTENTION_PARAMS = { ...SHAPE_PARAMS, last_tile: 'u32' } as const;
/** Parameters of every kernel for its gradients; `tile` is the first of keys, or the last of queries. */
export const BACKWARD_PARAMS = { ...SHAPE_PARAMS, parts: 'u32', part_heads: 'u32', tile: 'u32' } as const;

/** Causal grouped-query attention over one pass of consecutive documents. T = tokens, D = headDim. */
export interface Attention {
  /** f32 [T, heads, D] */
  q: BufferView;
  /** f32 [T, kvHeads, D] */
  k: BufferView;
  /** f32 [T, kvHeads, D] */
  v: BufferView;
  /**
   * u32 [T, 2]: first and end (exclusive) token of the token's document. Token i attends to first … i; documents
   * are contiguous, so both columns are non-decreasing.
   */
  ranges: BufferView;
  /**
   * f32 [T, heads, 2]: the log-sum-exp of the query's scaled scores, written by the forward pass, and the sum that
   * `attentionDelta` writes.
   */
  stats: BufferView;
  tokens: number;
  heads: number;
  /** Divides heads: query head h reads key head floor(h / (heads / kvHeads)). */
  kvHeads: number;
  /** A multiple of 4, at most 128. */
  headDim: number;
  /** Factor applied to the scores, usually D^−½. */
  scale: number;
}

/** o = softmax(scale·q·kᵀ)·v, o [T, heads, D]; writes the log-sum-exp to stats[…, 0]. */
export type AttentionForward = Attention & {
  o: BufferView;
  /** For operands packed by tile; without it, or with too little, they are packed as they are used. */
  scratch?: BufferView | undefined;
};

/**
 * Where the query heads of a key head are split among workgroups, their gradients: `parts` of each, to be added in
 * order. With one part, dk and dv themselves.
 */
export interface KeyShares {
  parts: number;
  /** f32 [parts, T, kvHeads, D] */
  dk: BufferView;
  /** f32 [parts, T, kvHeads, D] */
  dv: BufferView;
}

/**
 * The gradients dk and dv [T, kvHeads, D] given dout [T, heads, D]; both columns of stats must be set. `scratch`
 * holds `attentionScratch` values. Throws Error if it is too small.
 */
export type AttentionKeys = Attention & {
  dout: BufferView;
  dk: BufferView;
  dv: BufferView;
  scratch: BufferView;
  /** If given, shares are left where they are, for another kernel to add up; takes what there is to add. */
  leave?: (shares: KeyShares) => void;
};

/** The gradient dq [T, heads, D] given dout [T, heads, D]; both columns of stats must be set. */
export type AttentionQueries = Attention & {
  dout: BufferView;
  dq: BufferView;
  /** As in `AttentionForward`. */
  scratch?: BufferView | undefined;
};

/**
 * stats[…, 1] = Σ o·dout for each token and head: with the log-sum-exp, all that the backward kernels need of the
 * forward pass.
 */
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

/**
 * Target number of keys in flight, summed over key heads: below it, the query heads of a key head are split among
 * workgroups.
 */
const KEYS_AT_ONCE = 384 * 32;

/** f32 values in each half of the scratch: dk's in the first, dv's in the second, each its own binding. */
const halfOf = (values: number): number => 64 * ceilDiv(values, 64);

/** Size in f32 values of the `scratch` for dk and dv, for passes of up to `tokens` tokens. */
export function attentionScratch(
  tokens: number,
  { heads, headDim }: { heads: number; headDim: number },
): number {
  return 2 * halfOf(Math.min(tokens * heads, KEYS_AT_ONCE) * headDim);
}

/**
 * Splits the query heads of each key head among workgroups of `keys` keys: `parts` parts of `partHeads` heads.
 * Their gradients [parts, T, kvHeads, D] go to `dk` and `dv`; `add` then sums them in the order of the parts, or
 * leaves them.
 */
export function shareHeads(
  { tokens, heads, kvHeads, headDim, scratch, dk, dv, leave }: AttentionKeys,
  keys: number,
): { parts: number; partHeads: number; dk: BufferView; dv: BufferView; add: (stream: Stream) => void } {
  const shared = heads / kvHeads;
  const most = Math.floor(KEYS_AT_ONCE / (keys * ceilDiv(tokens, keys) * kvHeads));
  const partHeads = ceilDiv(shared, Math.max(1, most));
  const parts = ceilDiv(shared, partHeads);
  if (parts === 1) {
    return { parts, partHeads, dk, dv, add: () => leave?.({ parts, dk, dv }) };
  }
  const values = tokens * kvHeads * headDim;
  // Sized by what the scratch holds rather than by what is used, so that passes of all lengths share their bind
  // groups.
  const half = 256 * Math.floor(scratch.size / 512);
  if (4 * parts * values > half) {
    throw new Error(`scratch of ${scratch.size} bytes is too small`);
  }
  const [k0, v0] = [0, half].map((at) => view(scratch.buffer, scratch.offset + at, half));
  return {
    ...{ parts, partHeads, dk: k0!, dv: v0! },
    add(stream) {
      if (leave) {
        leave({ parts, dk: k0!, dv: v0! });
        return;
      }
      sumSlices(stream, { slices: k0!, y: dk, count: parts, values });
      sumSlices(stream, { slices: v0!, y: dv, count: parts, values });
    },
  };
}

/**
 * Maximum operations in one dispatch of attention. The slowest GPU considered does 2 TFLOP/s, a tenth of that in
 * attention: 0.15 s, short enough for watchdogs and for a responsive desktop.
 */
export const MAX_WORK = 30e9;

/** Number of visible query-key pairs for queries `begin` … `end` of one document. */
export const pairsOfQueries = (begin: number, end: number): number =>
  (end * (end + 1) - begin * (begin + 1)) / 2;

/** The same for keys `begin` … `end` of a document of `tokens` tokens. */
export const pairsOfKeys = (begin: number, end: number, tokens: number): number =>
  (end - begin) * tokens - (end * (end - 1) - begin * (begin - 1)) / 2;

/** Consecutive tiles of a kernel, and the operations they take. */
interface TileRange {
  first: number;
  count: number;
  work: number;
}

/** Groups tiles into ranges of at most `most` operations, or of one tile; `workOf` gives the operations of a tile. */
export function cutTiles(tiles: number, workOf: (tile: number) => number, most: number): TileRange[] {
  const ranges: TileRange[] = [];
  for (let tile = 0; tile < tiles; tile++) {
    const work = workOf(tile);
    const range = ranges.at(-1);
    if (range && range.work + work <= most) {
      range.count++;
      range.work += work;
    } else {
      ranges.push({ first: tile, count: 1, work });
    }
  }
  return ranges;
}
