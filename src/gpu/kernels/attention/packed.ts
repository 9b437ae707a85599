// References: T. Dao, "FlashAttention-2", arXiv:2307.08691; H. Ootomo, R. Yokota, "Recovering single precision
// accuracy from Tensor Cores", arXiv:2203.03341 (operands split into a high and a low half).
import type { Gpu } from '../../device.ts';
import { ceilDiv } from '../../grid.ts';
import { type BufferView, view } from '../../memory.ts';
import type { Stream } from '../../stream.ts';
import {
  type Attention,
  type AttentionForward,
  type AttentionKeys,
  type AttentionQueries,
  cutTiles,
  MAX_WORK,
  pairsOfKeys,
  pairsOfQueries,
  shareHeads,
} from './attention.ts';
import { kernelsOf, type PackedAttention, SUBGROUPS } from './packed-kernels.ts';
import {
  EDGE,
  forEachChunk,
  headsAtOnce,
  type PackedChunk,
  type PackedPart,
  sharesOf,
} from './packed-operands.ts';
import { HEAD_DIMS, MATRIX_FORWARD, MATRIX_KEYS, MATRIX_QUERIES } from './subgroup-matrix.ts';
import type { AttentionVariant } from './variant.ts';

/** Rows of a workgroup. */
const QUERIES = SUBGROUPS * EDGE;
const KEYS = (SUBGROUPS / 2) * EDGE;

/** Operations of `products` products per query-key pair. */
const workOf = (products: number, heads: number, { headDim }: Attention) => 2 * products * heads * headDim;

/** Tiles of queries with the operations of `products` products, most keys first. */
function queryTiles(call: Attention, heads: number, products: number, most: number) {
  const { tokens, kvHeads } = call;
  const each = (QUERIES * kvHeads) / call.heads;
  const last = ceilDiv((tokens * call.heads) / kvHeads, QUERIES) - 1;
  const pairs = (tile: number) => pairsOfQueries(tile * each, Math.min(tokens, (tile + 1) * each));
  const ranges = cutTiles(last + 1, (i) => workOf(products, heads, call) * pairs(last - i), most);
  return ranges.map(({ first, ...range }) => ({ ...range, lastTile: last - first }));
}

/** o = softmax(scale·q·kᵀ)·v of packed operands; `scratch` holds at least one key head's. */
export function packedAttentionForward(
  stream: Stream,
  kernels: PackedAttention,
  call: AttentionForward & { scratch: BufferView },
  most = MAX_WORK,
): void {
  const { tokens, heads, kvHeads, scale, ranges, o, stats } = call;
  forEachChunk(stream, kernels, 'forward', call, (chunk) => {
    const [k, v] = [chunk.place('k'), chunk.place('v')];
    for (const { lastTile, count, work } of queryTiles(call, chunk.heads, 2, most)) {
      stream.dispatch(kernels.forward, {
        buffers: [chunk.tiles, chunk.scales, ranges, o, stats],
        params: {
          ...{ tokens, heads, kv_heads: kvHeads, scale, last_tile: lastTile, first: chunk.first },
          ...{ q_blocks: chunk.blocks.q, k_blocks: chunk.blocks.k, k_at: k.tiles, v_at: v.columns },
          ...{ k_scales: k.scales, v_scales: v.scales },
        },
        groups: [count, chunk.count],
        work,
      });
    }
  });
}

/** Parameters of the gradients that do not depend on the tile. */
function backwardParams({ tokens, heads, kvHeads, scale }: Attention, { first, blocks, place }: PackedChunk) {
  const [q, d, k, v] = [place('q'), place('dout'), place('k'), place('v')];
  return {
    ...{ tokens, heads, kv_heads: kvHeads, scale, first, q_blocks: blocks.q, k_blocks: blocks.k },
    ...{ do_at: d.tiles, k_at: k.tiles, v_at: v.tiles },
    ...{ q_columns: q.columns, do_columns: d.columns, k_columns: k.columns },
    ...{ do_scales: d.scales, k_scales: k.scales, v_scales: v.scales },
  };
}

/** The gradients dk and dv of packed operands, likewise. */
export function packedAttentionKeys(
  stream: Stream,
  kernels: PackedAttention,
  call: AttentionKeys,
  most = MAX_WORK,
): void {
  const { tokens, ranges, scratch } = call;
  const shares = view(scratch.buffer, scratch.offset, sharesOf('keys', call));
  const { parts, dk, dv, add } = shareHeads({ ...call, scratch: shares }, KEYS);
  const pairs = (tile: number) => pairsOfKeys(tile * KEYS, Math.min(tokens, (tile + 1) * KEYS), tokens);
  forEachChunk(stream, kernels, 'keys', call, (chunk) => {
    const cuts = cutTiles(ceilDiv(tokens, KEYS), (tile) => workOf(4, chunk.heads, call) * pairs(tile), most);
    for (const { first, count, work } of cuts) {
      stream.dispatch(kernels.keys, {
        buffers: [chunk.tiles, chunk.scales, chunk.rows, ranges, dk, dv],
        params: { ...backwardParams(call, chunk), parts, tile: first },
        groups: [count, chunk.count * parts],
        work,
      });
    }
  });
  add(stream);
}

/** The gradient dq of packed operands, likewise. */
export function packedAttentionQueries(
  stream: Stream,
  kernels: PackedAttention,
  call: AttentionQueries & { scratch: BufferView },
  most = MAX_WORK,
): void {
  const { ranges, dq } = call;
  forEachChunk(stream, kernels, 'queries', call, (chunk) => {
    for (const { lastTile, count, work } of queryTiles(call, chunk.heads, 3, most)) {
      stream.dispatch(kernels.queries, {
        buffers: [chunk.tiles, chunk.scales, chunk.rows, ranges, dq],
        params: { ...backwardParams(call, chunk), parts: 1, tile: lastTile },
        groups: [count, chunk.count],
        work,
      });
    }
  });
}

/** Whether the device's workgroups are large enough. */
const fits = ({ device: { limits }, matrix }: Gpu): boolean =>
  // All operands are packed at once.
  limits.maxStorageBuffersPerShaderStage >= 9 &&
  // Sums, weights and factors.
  4 * SUBGROUPS * (512 + 20 * EDGE + 2 * EDGE + 1) <= limits.maxComputeWorkgroupStorageSize &&
  SUBGROUPS * matrix!.subgroupSize <= limits.maxComputeInvocationsPerWorkgroup;

/** The variants' name in execution plans. */
export const PACKED_ATTENTION_NAME = 'matrix packed';

function variant<Call extends Attention & { scratch?: BufferView | undefined }>(
  part: PackedPart,
  fused: AttentionVariant<Call>,
  dispatch: (
    stream: Stream,
    kernels: PackedAttention,
    call: Call & { scratch: BufferView },
    most?: number,
  ) => void,
): AttentionVariant<Call> {
  return {
    ...{ name: PACKED_ATTENTION_NAME, precision: 'matrix' },
    supported: (gpu) => fused.supported(gpu) && fits(gpu),
    fits: ({ headDim }) => HEAD_DIMS.includes(headDim),
    dispatch(stream, call, most) {
      const { scratch } = call;
      if (scratch && headsAtOnce(stream.gpu, part, call, scratch.size, 2) > 0) {
        dispatch(stream, kernelsOf(stream.gpu, call.headDim), { ...call, scratch }, most);
      } else {
        // No room for one key head's operands; such a trial leaves this variant out, but earlier plans name it.
        fused.dispatch(stream, call, most);
      }
    },
  };
}

/** Attention on subgroup matrices with operands packed once a pass, and its gradients. */
export const PACKED_ATTENTION = variant<AttentionForward>('forward', MATRIX_FORWARD, packedAttentionForward);
export const PACKED_KEYS = variant<AttentionKeys>('keys', MATRIX_KEYS, packedAttentionKeys);
export const PACKED_QUERIES = variant<AttentionQueries>('queries', MATRIX_QUERIES, packedAttentionQueries);
