// Reference: T. Dao, "FlashAttention-2", arXiv:2307.08691.
import forward from '../../../../shaders/attention/attention.wgsl';
import backwardKV from '../../../../shaders/attention/attention_backward_kv.wgsl';
import backwardQ from '../../../../shaders/attention/attention_backward_q.wgsl';
import type { Gpu } from '../../device.ts';
import { ceilDiv } from '../../grid.ts';
import { Kernel } from '../../kernel.ts';
import { bytesBeside } from '../shared/sum-slices.ts';
import {
  type Attention,
  ATTENTION_PARAMS,
  type AttentionForward,
  type AttentionKeys,
  type AttentionQueries,
  BACKWARD_PARAMS,
  cutTiles,
  MAX_WORK,
  pairsOfKeys,
  pairsOfQueries,
  shareHeads,
} from './attention.ts';
import type { AttentionVariant } from './variant.ts';

/** Threads of a workgroup, TY × 16, and quads of rows per thread: the shaders' constants. */
interface TileShape {
  TY: number;
  QUADS: number;
}

/**
 * The first is the default: few registers and 16 KiB of workgroup memory. Threads with 8 rows read a third less
 * from workgroup memory per multiply-add, and tiles of 64 rows read half as much from the caches; small tiles give
 * short passes more workgroups.
 */
const SHAPES: readonly TileShape[] = [
  { TY: 8, QUADS: 1 },
  { TY: 8, QUADS: 2 },
  { TY: 4, QUADS: 2 },
  { TY: 16, QUADS: 1 },
];

/** Columns of a tile. */
const COLUMNS = 64;

/**
 * dk and dv together take twice the registers of one result. Up to this head width threads with 8 rows have enough, and
 * in wider heads those that bring two parts of what is staged at a time have none left.
 */
const WIDEST_KEYS = 64;
const keysFit = ({ TY, QUADS }: TileShape, headDim: number): boolean =>
  QUADS === 1 || TY >= 8 || headDim <= WIDEST_KEYS;

const rowsOf = ({ TY, QUADS }: TileShape): number => 4 * TY * QUADS;

const nameOf = (shape: TileShape): string => `f32 ${rowsOf(shape)}x${COLUMNS} by ${4 * shape.QUADS}x4`;

const NAMED = SHAPES.map((shape) => ({ name: nameOf(shape), constants: { ...shape } }));

const forwardKernel = new Kernel({
  name: 'attention',
  code: forward,
  buffers: ['read', 'read', 'read', 'read', 'read_write', 'read_write'],
  params: ATTENTION_PARAMS,
  variants: NAMED,
});

const backwardKVKernel = new Kernel({
  name: 'attention_backward_kv',
  code: backwardKV,
  buffers: ['read', 'read', 'read', 'read', 'read', 'read', 'read_write', 'read_write'],
  params: BACKWARD_PARAMS,
  variants: NAMED,
});

const backwardQKernel = new Kernel({
  name: 'attention_backward_q',
  code: backwardQ,
  buffers: ['read', 'read', 'read', 'read', 'read', 'read', 'read_write'],
  params: BACKWARD_PARAMS,
  variants: NAMED,
});

const common = (shape: TileShape) => ({
  name: nameOf(shape),
  precision: 'f32' as const,
  supported: ({ device }: Gpu) =>
    8192 + 4 * COLUMNS * rowsOf(shape) <= device.limits.maxComputeWorkgroupStorageSize,
});

const paramsOf = ({ tokens, heads, kvHeads, scale }: Attention) => ({
  ...{ tokens, heads, kv_heads: kvHeads, scale },
});

const constantsOf = ({ headDim }: Attention, shape: TileShape) => ({ HEAD4: headDim / 4, ...shape });

/** Operations of `products` products per query-key pair. */
const workOf = (products: number, { heads, headDim }: Attention) => 2 * products * heads * headDim;

/** Tiles of queries with the operations of `products` products, most keys first. */
function queryTiles(call: Attention, rows: number, products: number, most: number) {
  const { tokens } = call;
  const last = ceilDiv(tokens, rows) - 1;
  const pairs = (tile: number) => pairsOfQueries(tile * rows, Math.min(tokens, (tile + 1) * rows));
  const ranges = cutTiles(last + 1, (i) => workOf(products, call) * pairs(last - i), most);
  return ranges.map(({ first, ...range }) => ({ ...range, lastTile: last - first }));
}

function forwardTile(shape: TileShape): AttentionVariant<AttentionForward> {
  const rows = rowsOf(shape);
  return {
    ...common(shape),
    fits: () => true,
    dispatch(stream, call, most = MAX_WORK) {
      const { q, k, v, ranges, o, stats, heads } = call;
      for (const { lastTile, count, work } of queryTiles(call, rows, 2, most)) {
        stream.dispatch(forwardKernel, {
          buffers: [q, k, v, ranges, o, stats],
          params: { ...paramsOf(call), last_tile: lastTile },
          constants: constantsOf(call, shape),
          groups: [count, heads],
          work,
        });
      }
    },
  };
}

function queriesTile(shape: TileShape): AttentionVariant<AttentionQueries> {
  const rows = rowsOf(shape);
  return {
    ...common(shape),
    fits: () => true,
    dispatch(stream, call, most = MAX_WORK) {
      const { q, k, v, dout, stats, ranges, dq, heads, kvHeads } = call;
      for (const { lastTile, count, work } of queryTiles(call, rows, 3, most)) {
        stream.dispatch(backwardQKernel, {
          buffers: [q, k, v, dout, stats, ranges, dq],
          params: { ...paramsOf(call), parts: 1, part_heads: heads / kvHeads, tile: lastTile },
          constants: constantsOf(call, shape),
          groups: [count, heads],
          work,
        });
      }
    },
  };
}

function keysTile(shape: TileShape): AttentionVariant<AttentionKeys> {
  const rows = rowsOf(shape);
  return {
    ...common(shape),
    fits: ({ headDim }) => keysFit(shape, headDim),
    dispatch(stream, call, most = MAX_WORK) {
      const { q, k, v, dout, stats, ranges, tokens, kvHeads, headDim } = call;
      const { parts, partHeads, dk, dv, add } = shareHeads(call, rows);
      const inputs = [q, k, v, dout, stats, ranges];
      const pairs = (tile: number) => pairsOfKeys(tile * rows, Math.min(tokens, (tile + 1) * rows), tokens);
      const bytes = () => bytesBeside(inputs, 2 * parts * tokens * kvHeads * headDim);
      const work = (tile: number) => workOf(4, call) * pairs(tile);
      for (const { first, count, work: done } of cutTiles(ceilDiv(tokens, rows), work, most)) {
        stream.dispatch(backwardKVKernel, {
          buffers: [...inputs, dk, dv],
          bytes,
          params: { ...paramsOf(call), parts, part_heads: partHeads, tile: first },
          constants: constantsOf(call, shape),
          groups: [count, kvHeads * parts],
          work: done,
        });
      }
      add(stream);
    },
  };
}

/** Attention in f32, one variant per tile. */
export const TILE_ATTENTION_FORWARD = SHAPES.map(forwardTile);

/** Its gradients for keys and values. */
export const TILE_KEYS = SHAPES.map(keysTile);

/** Its gradient for queries. */
export const TILE_QUERIES = SHAPES.map(queriesTile);
