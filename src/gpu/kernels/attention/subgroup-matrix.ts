// References: T. Dao, "FlashAttention-2", arXiv:2307.08691; H. Ootomo, R. Yokota, "Recovering single precision
// accuracy from Tensor Cores", arXiv:2203.03341 (operands split into a high and a low half).
import backwardKV from '../../../../shaders/attention/attention_backward_kv_matrix.wgsl';
import backwardQ from '../../../../shaders/attention/attention_backward_q_matrix.wgsl';
import forward from '../../../../shaders/attention/attention_matrix.wgsl';
import type { Gpu } from '../../device.ts';
import { ceilDiv } from '../../grid.ts';
import { Kernel } from '../../kernel.ts';
import type { Stream } from '../../stream.ts';
import type { MatrixShape } from '../../subgroup-matrices.ts';
import { largest, matrixText, type SubgroupGrid } from '../shared/subgroup-matrix-kernels.ts';
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

/** Rows of the tiles that a workgroup streams through. */
const STREAMED = 16;

/** One of the three kernels: its source, and the workgroup memory it needs. */
interface Text {
  readonly code: string;
  readonly buffers: readonly ('read' | 'read_write')[];
  /** Subgroups per cell of the grid. */
  readonly times: 1 | 2;
  /** f16 values of workgroup memory for `rows` rows, and 4-byte words besides. */
  halves(rows: number, headDim: number): number;
  words(rows: number): number;
}

/** The kernels' shaders; matrixText and headDimText add what they require. */
export const ATTENTION_TEXTS = {
  forward: {
    code: forward,
    buffers: ['read', 'read', 'read', 'read', 'read_write', 'read_write'],
    times: 1,
    halves: (rows, headDim) => 4 * STREAMED * (headDim + 8) + rows * (2 * STREAMED + 8),
    words: (rows) => rows * (STREAMED + 1) + 2 * STREAMED + 16,
  },
  backwardKV: {
    code: backwardKV,
    buffers: ['read', 'read', 'read', 'read', 'read', 'read', 'read_write', 'read_write'],
    times: 2,
    halves: (rows, headDim) => 4 * STREAMED * (headDim + 8) + 2 * rows * (STREAMED + 8),
    words: (rows) => rows * (2 * STREAMED + 2) + 6 * STREAMED + 4,
  },
  backwardQ: {
    code: backwardQ,
    buffers: ['read', 'read', 'read', 'read', 'read', 'read', 'read_write'],
    times: 2,
    halves: (rows, headDim) => 4 * STREAMED * (headDim + 8) + rows * (2 * STREAMED + 8),
    words: (rows) => rows * (2 * STREAMED + 6) + 2 * STREAMED + 4,
  },
} as const satisfies Record<string, Text>;
type Name = keyof typeof ATTENTION_TEXTS;

/** Declares the head width that a kernel's source expects. */
export const headDimText = (headDim: number): string => `const HEAD_DIM = ${headDim}u;\n`;

/** Head widths that the kernels support. */
export const HEAD_DIMS: readonly number[] = [64, 128];

/** Device limits that bound a kernel's workgroup. */
interface WorkgroupLimits {
  readonly subgroupSize: number;
  readonly bytes: number;
  readonly invocations: number;
  /** 2, or the size of whatever replaces f16. */
  readonly halfBytes: number;
}

/** The tallest grid of subgroups that fits; undefined if none does or the head width is unsupported. */
export function attentionGrid(
  name: Name,
  headDim: number,
  { M, N }: MatrixShape,
  room: WorkgroupLimits,
): SubgroupGrid | undefined {
  if (!HEAD_DIMS.includes(headDim)) {
    return undefined;
  }
  const { times, halves, words } = ATTENTION_TEXTS[name];
  const across = 32 / N;
  const down = [2, 1].find((n) => {
    const rows = 2 * M * n;
    const threads = times * n * across * room.subgroupSize;
    return (
      room.halfBytes * halves(rows, headDim) + 4 * words(rows) <= room.bytes &&
      threads <= room.invocations &&
      // Sixteen rows at a time, each loaded by a power of two of threads, at least one quad per thread.
      threads >= STREAMED &&
      threads / STREAMED <= headDim / 4
    );
  });
  return down === undefined ? undefined : { down, across };
}

/** A kernel compiled for a device, and the tokens' heads or the keys per workgroup. */
export interface Made<K> {
  readonly kernel: K;
  readonly rows: number;
}

/** The kernels of attention; the bindings are those of attention_matrix and its gradients. */
export const attentionKernel = (name: string, code: string) =>
  new Kernel({ name, code, buffers: ATTENTION_TEXTS.forward.buffers, params: ATTENTION_PARAMS });
export const backwardKernel = (of: 'backwardKV' | 'backwardQ', name: string, code: string) =>
  new Kernel({ name, code, buffers: ATTENTION_TEXTS[of].buffers, params: BACKWARD_PARAMS });

function roomOf({ device, matrix }: Gpu): WorkgroupLimits {
  const { maxComputeWorkgroupStorageSize: bytes, maxComputeInvocationsPerWorkgroup: invocations } =
    device.limits;
  return { subgroupSize: matrix!.subgroupSize, bytes, invocations, halfBytes: 2 };
}

/** Whether a kernel runs on the device with every supported head width. */
function supported(gpu: Gpu, name: Name): boolean {
  if (!gpu.matrix || !gpu.device.features.has('shader-f16')) {
    return false;
  }
  const shape = largest(gpu.matrix.shapes);
  return HEAD_DIMS.every((headDim) => attentionGrid(name, headDim, shape, roomOf(gpu)));
}

/** Kernels by device and head width, created on first use. */
function kernels<K>(name: Name, label: string, make: (name: string, code: string) => K) {
  const made = new WeakMap<GPUDevice, Map<number, Made<K>>>();
  return (gpu: Gpu, headDim: number): Made<K> => {
    let ofDevice = made.get(gpu.device);
    if (!ofDevice) {
      made.set(gpu.device, (ofDevice = new Map()));
    }
    let one = ofDevice.get(headDim);
    if (!one) {
      const shape = largest(gpu.matrix!.shapes);
      const grid = attentionGrid(name, headDim, shape, roomOf(gpu));
      if (!grid) {
        throw new Error(`${label}: heads of ${headDim} do not fit ${gpu.name}`);
      }
      const text = headDimText(headDim) + ATTENTION_TEXTS[name].code;
      const code = matrixText(shape, grid, gpu.matrix!, text, 'halves');
      one = {
        kernel: make(`${label} ${shape.M}x${shape.N}x${shape.K}, heads of ${headDim}`, code),
        rows: 2 * shape.M * grid.down,
      };
      ofDevice.set(headDim, one);
    }
    return one;
  };
}

const forwardKernels = kernels('forward', 'attention_matrix', attentionKernel);
const kvKernels = kernels('backwardKV', 'attention_backward_kv_matrix', (name, code) =>
  backwardKernel('backwardKV', name, code),
);
const qKernels = kernels('backwardQ', 'attention_backward_q_matrix', (name, code) =>
  backwardKernel('backwardQ', name, code),
);

/** Operations of `products` products per query-key pair. */
const workOf = (products: number, { heads, headDim }: Attention) => 2 * products * heads * headDim;

/**
 * Tiles of queries with the operations of `products` products, most keys first. A tile holds `rows` of the query
 * heads of one key head, token by token.
 */
function queryTiles(call: Attention, rows: number, products: number, most: number) {
  const { tokens, heads, kvHeads } = call;
  const each = (rows * kvHeads) / heads;
  const last = ceilDiv(tokens * heads, rows * kvHeads) - 1;
  const pairs = (tile: number) => pairsOfQueries(tile * each, Math.min(tokens, (tile + 1) * each));
  const ranges = cutTiles(last + 1, (i) => workOf(products, call) * pairs(last - i), most);
  return ranges.map(({ first, ...range }) => ({ ...range, lastTile: last - first }));
}

export function dispatchAttention(
  stream: Stream,
  { kernel, rows }: Made<ReturnType<typeof attentionKernel>>,
  call: AttentionForward,
  most = MAX_WORK,
): void {
  const { q, k, v, ranges, o, stats, tokens, heads, kvHeads, scale } = call;
  for (const { lastTile, count, work } of queryTiles(call, rows, 2, most)) {
    stream.dispatch(kernel, {
      buffers: [q, k, v, ranges, o, stats],
      params: { tokens, heads, kv_heads: kvHeads, scale, last_tile: lastTile },
      groups: [count, kvHeads],
      work,
    });
  }
}

export function dispatchKeys(
  stream: Stream,
  { kernel, rows }: Made<ReturnType<typeof backwardKernel>>,
  call: AttentionKeys,
  most = MAX_WORK,
): void {
  const { q, k, v, dout, stats, ranges, tokens, heads, kvHeads, headDim, scale } = call;
  const { parts, partHeads, dk, dv, add } = shareHeads(call, rows);
  const inputs = [q, k, v, dout, stats, ranges];
  const pairs = (tile: number) => pairsOfKeys(tile * rows, Math.min(tokens, (tile + 1) * rows), tokens);
  const cuts = cutTiles(ceilDiv(tokens, rows), (tile) => workOf(4, call) * pairs(tile), most);
  for (const { first, count, work } of cuts) {
    stream.dispatch(kernel, {
      buffers: [...inputs, dk, dv],
      bytes: bytesBeside(inputs, 2 * parts * tokens * kvHeads * headDim),
      params: { tokens, heads, kv_heads: kvHeads, scale, parts, part_heads: partHeads, tile: first },
      groups: [count, kvHeads * parts],
      work,
    });
  }
  add(stream);
}

export function dispatchQueries(
  stream: Stream,
  { kernel, rows }: Made<ReturnType<typeof backwardKernel>>,
  call: AttentionQueries,
  most = MAX_WORK,
): void {
  const { q, k, v, dout, stats, ranges, dq, tokens, heads, kvHeads, scale } = call;
  const shape = { tokens, heads, kv_heads: kvHeads, scale, parts: 1, part_heads: heads / kvHeads };
  for (const { lastTile, count, work } of queryTiles(call, rows, 3, most)) {
    stream.dispatch(kernel, {
      buffers: [q, k, v, dout, stats, ranges, dq],
      params: { ...shape, tile: lastTile },
      groups: [count, kvHeads],
      work,
    });
  }
}

function variant<Call extends Attention, K>(
  name: Name,
  made: (gpu: Gpu, headDim: number) => Made<K>,
  dispatch: (stream: Stream, made: Made<K>, call: Call, most?: number) => void,
): AttentionVariant<Call> {
  return {
    ...{ name: 'matrix', precision: 'matrix' },
    supported: (gpu) => supported(gpu, name),
    fits: ({ headDim }) => HEAD_DIMS.includes(headDim),
    dispatch: (stream, call, most) => dispatch(stream, made(stream.gpu, call.headDim), call, most),
  };
}

/** Attention on subgroup matrices, and its gradients for keys and values and for queries. */
export const MATRIX_FORWARD = variant('forward', forwardKernels, dispatchAttention);
export const MATRIX_KEYS = variant('backwardKV', kvKernels, dispatchKeys);
export const MATRIX_QUERIES = variant('backwardQ', qKernels, dispatchQueries);
