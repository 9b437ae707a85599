// References: T. Dao, "FlashAttention-2", arXiv:2307.08691; H. Ootomo, R. Yokota, "Recovering single precision
// accuracy from Tensor Cores", arXiv:2203.03341 (operands split into a high and a low half).
import backwardKV from '../../../../shaders/attention/attention_backward_kv_packed.wgsl';
import backwardQ from '../../../../shaders/attention/attention_backward_q_packed.wgsl';
import pack from '../../../../shaders/attention/attention_pack.wgsl';
import forward from '../../../../shaders/attention/attention_packed.wgsl';
import type { Gpu } from '../../device.ts';
import { ceilDiv } from '../../grid.ts';
import { Kernel, type ParamSpec } from '../../kernel.ts';
import { type BufferView, view } from '../../memory.ts';
import type { Stream } from '../../stream.ts';
import type { MatrixShape, SubgroupMatrices } from '../../subgroup-matrices.ts';
import { largest, matrixText, type SubgroupGrid } from '../shared/subgroup-matrix-kernels.ts';
import {
  type Attention,
  type AttentionForward,
  type AttentionKeys,
  type AttentionQueries,
  attentionScratch,
  cutTiles,
  MAX_WORK,
  pairsOfKeys,
  pairsOfQueries,
  shareHeads,
} from './attention.ts';
import { HEAD_DIMS, headDimText, MATRIX_FORWARD, MATRIX_KEYS, MATRIX_QUERIES } from './subgroup-matrix.ts';
import type { AttentionVariant } from './variant.ts';

/** The kernels' shaders. */
export const PACKED_ATTENTION_TEXTS = { pack, forward, backwardKV, backwardQ };

/** Rows of a block, and rows and columns of its tiles. */
const EDGE = 16;
/** Subgroups of a workgroup: each has a block of queries, or two a block of keys. */
const SUBGROUPS = 4;
const QUERIES = SUBGROUPS * EDGE;
const KEYS = (SUBGROUPS / 2) * EDGE;

/** Operands that are packed at once: q, k, v and do. */
const OPERANDS_AT_ONCE = 4;

const PACK_PART = {
  ...{ heads: 'u32', group: 'u32', blocks: 'u32' },
  ...{ tiles_at: 'u32', columns_at: 'u32', scales_at: 'u32', natural: 'u32', columns: 'u32' },
} as const satisfies ParamSpec;

const packKernel = (name: string, code: string) =>
  new Kernel({
    name,
    code,
    buffers: [
      ...(['read', 'read', 'read', 'read', 'read', 'read'] as const),
      ...(['read_write', 'read_write', 'read_write'] as const),
    ],
    parts: { fields: PACK_PART, count: OPERANDS_AT_ONCE },
    params: { tokens: 'u32', first: 'u32' } as const,
  });

const forwardKernel = (name: string, code: string) =>
  new Kernel({
    name,
    code,
    buffers: ['read', 'read', 'read', 'read_write', 'read_write'],
    params: {
      ...{ tokens: 'u32', heads: 'u32', kv_heads: 'u32', scale: 'f32', last_tile: 'u32', first: 'u32' },
      ...{ q_blocks: 'u32', k_blocks: 'u32', k_at: 'u32', v_at: 'u32', k_scales: 'u32', v_scales: 'u32' },
    } as const,
  });

const BACKWARD = {
  ...{ tokens: 'u32', heads: 'u32', kv_heads: 'u32', scale: 'f32', parts: 'u32', tile: 'u32', first: 'u32' },
  ...{ q_blocks: 'u32', k_blocks: 'u32', do_at: 'u32', k_at: 'u32', v_at: 'u32' },
  ...{ q_columns: 'u32', do_columns: 'u32', k_columns: 'u32' },
  ...{ do_scales: 'u32', k_scales: 'u32', v_scales: 'u32' },
} as const satisfies ParamSpec;

const keysKernel = (name: string, code: string) =>
  new Kernel({
    name,
    code,
    buffers: ['read_write', 'read_write', 'read_write', 'read', 'read_write', 'read_write'],
    params: BACKWARD,
  });

const queriesKernel = (name: string, code: string) =>
  new Kernel({ name, code, buffers: ['read', 'read', 'read', 'read', 'read_write'], params: BACKWARD });

/** The kernels for heads of one width on matrices of one shape. */
export interface PackedAttention {
  readonly pack: ReturnType<typeof packKernel>;
  readonly forward: ReturnType<typeof forwardKernel>;
  readonly keys: ReturnType<typeof keysKernel>;
  readonly queries: ReturnType<typeof queriesKernel>;
  /** 2, or the size of whatever replaces f16. */
  readonly halfBytes: number;
}

type Sources = Record<keyof typeof PACKED_ATTENTION_TEXTS, string>;

/** The kernels from their sources. */
export function packedAttention(
  { M, N, K }: MatrixShape,
  headDim: number,
  sources: Sources,
  halfBytes = 2,
): PackedAttention {
  const of = `${M}x${N}x${K}, heads of ${headDim}`;
  return {
    pack: packKernel(`attention_pack, heads of ${headDim}`, sources.pack),
    forward: forwardKernel(`attention_packed ${of}`, sources.forward),
    keys: keysKernel(`attention_backward_kv_packed ${of}`, sources.backwardKV),
    queries: queriesKernel(`attention_backward_q_packed ${of}`, sources.backwardQ),
    halfBytes,
  };
}

/** The subgroups as a grid. */
export const PACKED_ATTENTION_GRID: SubgroupGrid = { down: SUBGROUPS, across: 1 };

/** The kernels' sources for such subgroup matrices. */
export function packedAttentionTexts(
  shape: MatrixShape,
  headDim: number,
  matrices: SubgroupMatrices,
): Sources {
  const head = headDimText(headDim);
  const text = (code: string) => matrixText(shape, PACKED_ATTENTION_GRID, matrices, head + code, 'attention');
  return {
    pack: `enable f16;\n${head}${pack}`,
    forward: text(forward),
    backwardKV: text(backwardKV),
    backwardQ: text(backwardQ),
  };
}

const made = new Map<string, PackedAttention>();

/** The kernels of a device that has subgroup matrices, created on first use. */
function kernelsOf({ matrix }: Gpu, headDim: number): PackedAttention {
  const shape = largest(matrix!.shapes);
  const key = JSON.stringify([headDim, shape, matrix!.dialect, matrix!.subgroupSize, matrix!.sized]);
  let kernels = made.get(key);
  if (!kernels) {
    made.set(key, (kernels = packedAttention(shape, headDim, packedAttentionTexts(shape, headDim, matrix!))));
  }
  return kernels;
}

/** An operand of one part of attention: which of q, k, v and do, and how it is packed. */
interface Operand {
  readonly of: 'q' | 'k' | 'v' | 'dout';
  /** Tiles of rows, high and low halves. */
  readonly natural: boolean;
  /** Of the tiles for sums over rows: none, the high halves, or both. */
  readonly parts: 0 | 1 | 2;
}

/** What each part packs, in the order in which it lies; the first is of queries. */
const OPERANDS = {
  forward: [
    { of: 'q', natural: true, parts: 0 },
    { of: 'k', natural: true, parts: 0 },
    { of: 'v', natural: false, parts: 2 },
  ],
  keys: [
    { of: 'q', natural: true, parts: 1 },
    { of: 'dout', natural: true, parts: 1 },
    { of: 'k', natural: true, parts: 0 },
    { of: 'v', natural: true, parts: 0 },
  ],
  queries: [
    { of: 'q', natural: true, parts: 0 },
    { of: 'dout', natural: true, parts: 0 },
    { of: 'k', natural: true, parts: 2 },
    { of: 'v', natural: true, parts: 0 },
  ],
} as const satisfies Record<string, readonly Operand[]>;
type Part = keyof typeof OPERANDS;
const PARTS = { attention: 'forward', 'attention keys': 'keys', 'attention queries': 'queries' } as const;

type Shape = Pick<Attention, 'tokens' | 'heads' | 'kvHeads' | 'headDim'>;

const align = (bytes: number): number => 256 * ceilDiv(bytes, 256);

/** Blocks of a key head's queries and of its keys. */
const blocksOf = ({ tokens, heads, kvHeads }: Shape) => ({
  q: ceilDiv((tokens * heads) / kvHeads, EDGE),
  k: ceilDiv(tokens, EDGE),
});

/** Where the operands of `count` key heads lie: tiles in halves, scales in pairs, and bytes of all. */
function layoutOf(part: Part, shape: Shape, count: number, halfBytes: number) {
  const blocks = blocksOf(shape);
  const half = EDGE * shape.headDim;
  let halves = 0;
  let scales = 0;
  const places = OPERANDS[part].map((operand: Operand) => {
    const each = operand.of === 'k' || operand.of === 'v' ? blocks.k : blocks.q;
    const tiles = halves;
    const columns = tiles + (operand.natural ? 2 : 0) * half * each * count;
    const place = { ...operand, blocks: each, tiles, columns, scales };
    halves = columns + operand.parts * half * each * count;
    scales += each * count;
    return place;
  });
  const tileBytes = align(halfBytes * halves);
  const scaleBytes = align(8 * scales);
  const rowBytes = part === 'forward' ? 256 : align(16 * EDGE * blocks.q * count);
  return { blocks, places, tileBytes, scaleBytes, rowBytes, bytes: tileBytes + scaleBytes + rowBytes };
}

/** Bytes at the beginning of the scratch that are not for packed operands: the shares of dk and dv. */
const sharesOf = (part: Part, shape: Shape): number =>
  part === 'keys' ? align(4 * attentionScratch(shape.tokens, shape)) : 0;

/** Bytes of scratch with which a part packs all heads at once. */
export function packedAttentionBytes(name: keyof typeof PARTS, shape: Shape): number {
  const part = PARTS[name];
  return sharesOf(part, shape) + layoutOf(part, shape, shape.kvHeads, 2).bytes;
}

/** Whether a part has the room for at least one key head's operands in `scratch` bytes. */
export const packsAttention = (gpu: Gpu, name: keyof typeof PARTS, shape: Shape, scratch: number): boolean =>
  headsAtOnce(gpu, PARTS[name], shape, scratch, 2) > 0;

/** Key heads whose operands `scratch` bytes hold at once, each in a binding. */
function headsAtOnce(gpu: Gpu, part: Part, shape: Shape, scratch: number, halfBytes: number): number {
  const room = scratch - sharesOf(part, shape);
  const most = gpu.device.limits.maxStorageBufferBindingSize;
  for (let count = shape.kvHeads; count > 0; count--) {
    const { bytes, tileBytes } = layoutOf(part, shape, count, halfBytes);
    if (bytes <= room && tileBytes <= most) {
      return count;
    }
  }
  return 0;
}

type Packed = Attention & { dout?: BufferView; scratch: BufferView };

/** Packed operands of some key heads. */
interface Chunk {
  readonly first: number;
  readonly count: number;
  /** The shape of attention with these heads alone. */
  readonly heads: number;
  readonly blocks: { q: number; k: number };
  readonly tiles: BufferView;
  readonly scales: BufferView;
  readonly rows: BufferView;
  place(of: Operand['of']): { tiles: number; columns: number; scales: number };
}

/** Packs the operands of as many key heads at once as fit, and lets `use` take them. */
function forEachChunk(
  stream: Stream,
  { pack: kernel, halfBytes }: PackedAttention,
  part: Part,
  call: Packed,
  use: (chunk: Chunk) => void,
): void {
  const { tokens, kvHeads, scratch, stats, ranges } = call;
  const group = call.heads / kvHeads;
  const atOnce = headsAtOnce(stream.gpu, part, call, scratch.size, halfBytes);
  for (let first = 0; first < kvHeads; first += atOnce) {
    const count = Math.min(atOnce, kvHeads - first);
    const { blocks, places, tileBytes, scaleBytes, rowBytes } = layoutOf(part, call, count, halfBytes);
    const begin = scratch.offset + sharesOf(part, call);
    const tiles = view(scratch.buffer, begin, tileBytes);
    const scales = view(scratch.buffer, begin + tileBytes, scaleBytes);
    const rows = view(scratch.buffer, begin + tileBytes + scaleBytes, rowBytes);
    // The gradient of the output is the last, for which the kernel does more.
    const operands = places.toSorted((a, b) => Number(a.of === 'dout') - Number(b.of === 'dout'));
    const [x0, x1, x2, x3 = x2] = operands.map(({ of }) => call[of]!);
    stream.dispatch(kernel, {
      buffers: [x0!, x1!, x2!, x3!, stats, ranges, tiles, scales, rows],
      parts: operands.map(({ of, natural, parts, ...at }) => {
        const ofKeys = of === 'k' || of === 'v';
        return {
          ...{ heads: ofKeys ? kvHeads : call.heads, group: ofKeys ? 1 : group, blocks: at.blocks },
          ...{ tiles_at: at.tiles, columns_at: at.columns, scales_at: at.scales },
          ...{ natural: Number(natural), columns: parts },
        };
      }),
      params: { tokens, first },
      constants: { STATS: Number(part !== 'forward') },
      groups: [Math.max(blocks.q, blocks.k), count, operands.length],
      bytes: operands.reduce((sum, { blocks: each, natural, parts }) => {
        const halves = (natural ? 2 : 0) + parts;
        return sum + EDGE * each * count * call.headDim * (4 + halfBytes * halves);
      }, 0),
    });
    const place = (of: Operand['of']) => places.find((one) => one.of === of)!;
    use({ first, count, heads: count * group, blocks, tiles, scales, rows, place });
  }
}

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
function backwardParams({ tokens, heads, kvHeads, scale }: Attention, { first, blocks, place }: Chunk) {
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
  part: Part,
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
