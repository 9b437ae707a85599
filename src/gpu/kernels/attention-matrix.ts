import forward from '../../../shaders/attention_matrix.wgsl?raw';
import matrixRows from '../../../shaders/attention_matrix_rows.wgsl?raw';
import backward from '../../../shaders/attention_backward_matrix.wgsl?raw';
import backwardKV from '../../../shaders/attention_backward_kv_matrix.wgsl?raw';
import backwardQ from '../../../shaders/attention_backward_q_matrix.wgsl?raw';
import type { Gpu } from '../device.ts';
import { ceilDiv } from '../grid.ts';
import { Kernel } from '../kernel.ts';
import type { MatrixShape } from '../matrix-units.ts';
import { view, type View } from '../memory.ts';
import type { Stream } from '../stream.ts';
import type { Attention } from './attention.ts';
import { largest, matrixText, type SubgroupGrid } from './matrix-kernels.ts';
import { bytesBeside, sumSlices } from './sum-slices.ts';

const SHAPE = { tokens: 'u32', heads: 'u32', kv_heads: 'u32', scale: 'f32' } as const;
const FORWARD_PARAMS = { ...SHAPE, last_tile: 'u32' } as const;
const BACKWARD_PARAMS = { ...SHAPE, parts: 'u32', part_heads: 'u32', tile: 'u32' } as const;

/** Rows of the tiles that stream past a workgroup. */
const STREAMED = 16;

/** One of the three kernels: what it is made of, and what it takes of a workgroup's memory. */
interface Text {
  readonly code: string;
  readonly buffers: readonly ('read' | 'read_write')[];
  /** Subgroups for each of the grid. */
  readonly times: 1 | 2;
  /** f16 of workgroup memory for so many rows, and other words. */
  halves(rows: number, headDim: number): number;
  words(rows: number): number;
}

/** The kernels' texts with what they share; matrixText and headDimText say what they want before them. */
export const ATTENTION_TEXTS = {
  forward: {
    code: forward + matrixRows,
    buffers: ['read', 'read', 'read', 'read', 'read_write', 'read_write'],
    times: 1,
    halves: (rows, headDim) => 4 * STREAMED * (headDim + 8) + rows * (2 * STREAMED + 8),
    words: (rows) => rows * (STREAMED + 1) + 2 * STREAMED + 16,
  },
  backwardKV: {
    code: backwardKV + backward + matrixRows,
    buffers: ['read', 'read', 'read', 'read', 'read', 'read', 'read_write', 'read_write'],
    times: 2,
    halves: (rows, headDim) => 4 * STREAMED * (headDim + 8) + 2 * rows * (STREAMED + 8),
    words: (rows) => rows * (2 * STREAMED + 2) + 6 * STREAMED + 4,
  },
  backwardQ: {
    code: backwardQ + backward + matrixRows,
    buffers: ['read', 'read', 'read', 'read', 'read', 'read', 'read_write'],
    times: 2,
    halves: (rows, headDim) => 4 * STREAMED * (headDim + 8) + rows * (2 * STREAMED + 8),
    words: (rows) => rows * (2 * STREAMED + 6) + 2 * STREAMED + 4,
  },
} as const satisfies Record<string, Text>;
type Name = keyof typeof ATTENTION_TEXTS;

/** What a text expects to be said of the width of a head. */
export const headDimText = (headDim: number): string => `const HEAD_DIM = ${headDim}u;\n`;

/** What bounds a workgroup of one of the kernels. */
export interface Room {
  readonly subgroupSize: number;
  readonly bytes: number;
  readonly invocations: number;
  /** 2, but where something else stands in for f16. */
  readonly halfBytes: number;
}

/** The tallest grid of subgroups that has room; undefined where none has, or for a head of another width. */
export function attentionGrid(
  name: Name,
  headDim: number,
  { M, N }: MatrixShape,
  room: Room,
): SubgroupGrid | undefined {
  if (headDim !== 64 && headDim !== 128) return undefined;
  const { times, halves, words } = ATTENTION_TEXTS[name];
  const across = 32 / N;
  const down = [2, 1].find((n) => {
    const rows = 2 * M * n;
    const threads = times * n * across * room.subgroupSize;
    return (
      room.halfBytes * halves(rows, headDim) + 4 * words(rows) <= room.bytes &&
      threads <= room.invocations &&
      // Sixteen rows at a time, each by a power of two of threads with a quad at least.
      threads >= STREAMED &&
      threads / STREAMED <= headDim / 4
    );
  });
  return down === undefined ? undefined : { down, across };
}

/** One kernel on a device, and how many tokens' heads or keys a workgroup has. */
export interface Made<K> {
  readonly kernel: K;
  readonly rows: number;
}

/** The kernels for attention; the bindings are those of attention_matrix and its gradients. */
export const forwardKernel = (name: string, code: string) =>
  new Kernel({ name, code, buffers: ATTENTION_TEXTS.forward.buffers, params: FORWARD_PARAMS });
export const backwardKernel = (of: 'backwardKV' | 'backwardQ', name: string, code: string) =>
  new Kernel({ name, code, buffers: ATTENTION_TEXTS[of].buffers, params: BACKWARD_PARAMS });

function roomOf({ device, matrix }: Gpu): Room {
  const { maxComputeWorkgroupStorageSize: bytes, maxComputeInvocationsPerWorkgroup: invocations } =
    device.limits;
  return { subgroupSize: matrix!.subgroupSize, bytes, invocations, halfBytes: 2 };
}

/** Whether all three kernels run on the device. */
export function attentionMatrixFits(gpu: Gpu, { headDim }: { headDim: number }): boolean {
  if (!gpu.matrix || !gpu.device.features.has('shader-f16')) return false;
  const shape = largest(gpu.matrix.shapes);
  return (Object.keys(ATTENTION_TEXTS) as Name[]).every((name) =>
    attentionGrid(name, headDim, shape, roomOf(gpu)),
  );
}

/** A kernel for each device and width of a head, made when it is first wanted. */
function kernels<K>(name: Name, label: string, make: (name: string, code: string) => K) {
  const made = new WeakMap<GPUDevice, Map<number, Made<K>>>();
  return (gpu: Gpu, headDim: number): Made<K> => {
    let ofDevice = made.get(gpu.device);
    if (!ofDevice) made.set(gpu.device, (ofDevice = new Map()));
    let one = ofDevice.get(headDim);
    if (!one) {
      const shape = largest(gpu.matrix!.shapes);
      const grid = attentionGrid(name, headDim, shape, roomOf(gpu));
      if (!grid) throw new Error(`${label}: heads of ${headDim} do not fit ${gpu.name}`);
      const text = headDimText(headDim) + ATTENTION_TEXTS[name].code;
      const code = matrixText(shape, grid, gpu.matrix!, text, 'halves');
      one = {
        kernel: make(`${label} ${shape.M}x${shape.N}x${shape.K}`, code),
        rows: 2 * shape.M * grid.down,
      };
      ofDevice.set(headDim, one);
    }
    return one;
  };
}

const forwardKernels = kernels('forward', 'attention_matrix', forwardKernel);
const kvKernels = kernels('backwardKV', 'attention_backward_kv_matrix', (name, code) =>
  backwardKernel('backwardKV', name, code),
);
const qKernels = kernels('backwardQ', 'attention_backward_q_matrix', (name, code) =>
  backwardKernel('backwardQ', name, code),
);

/** `attention` on matrix units. */
export function attentionMatrix(stream: Stream, call: Attention & { o: View }): void {
  dispatchAttention(stream, forwardKernels(stream.gpu, call.headDim), call);
}

/** `attentionBackwardKV` on matrix units. */
export function attentionBackwardKVMatrix(
  stream: Stream,
  call: Attention & { dout: View; dk: View; dv: View; scratch: View },
): void {
  dispatchBackwardKV(stream, kvKernels(stream.gpu, call.headDim), call);
}

/** `attentionBackwardQ` on matrix units. */
export function attentionBackwardQMatrix(stream: Stream, call: Attention & { dout: View; dq: View }): void {
  dispatchBackwardQ(stream, qKernels(stream.gpu, call.headDim), call);
}

export function dispatchAttention(
  stream: Stream,
  { kernel, rows }: Made<ReturnType<typeof forwardKernel>>,
  call: Attention & { o: View },
): void {
  const { q, k, v, ranges, o, stats, tokens, heads, kvHeads, scale } = call;
  const tiles = ceilDiv((tokens * heads) / kvHeads, rows);
  stream.dispatch(kernel, {
    buffers: [q, k, v, ranges, o, stats],
    params: { tokens, heads, kv_heads: kvHeads, scale, last_tile: tiles - 1 },
    groups: [tiles, kvHeads],
    work: 2 * matrixWork(call),
  });
}

export function dispatchBackwardKV(
  stream: Stream,
  { kernel, rows }: Made<ReturnType<typeof backwardKernel>>,
  call: Attention & { dout: View; dk: View; dv: View; scratch: View },
): void {
  const { q, k, v, dout, stats, ranges, dk, dv, tokens, heads, kvHeads, scale } = call;
  const { parts, partHeads, values, k0, v0 } = sharesOf(call);
  stream.dispatch(kernel, {
    buffers: [q, k, v, dout, stats, ranges, k0, v0],
    bytes: bytesBeside([q, k, v, dout, stats, ranges], 2 * parts * values),
    params: { tokens, heads, kv_heads: kvHeads, scale, parts, part_heads: partHeads, tile: 0 },
    groups: [ceilDiv(tokens, rows), kvHeads * parts],
    work: 4 * matrixWork(call),
  });
  if (parts === 1) return;
  sumSlices(stream, { slices: k0, y: dk, count: parts, values });
  sumSlices(stream, { slices: v0, y: dv, count: parts, values });
}

export function dispatchBackwardQ(
  stream: Stream,
  { kernel, rows }: Made<ReturnType<typeof backwardKernel>>,
  call: Attention & { dout: View; dq: View },
): void {
  const { q, k, v, dout, stats, ranges, dq, tokens, heads, kvHeads, scale } = call;
  const tiles = ceilDiv((tokens * heads) / kvHeads, rows);
  stream.dispatch(kernel, {
    buffers: [q, k, v, dout, stats, ranges, dq],
    params: {
      tokens,
      heads,
      kv_heads: kvHeads,
      scale,
      parts: 1,
      part_heads: heads / kvHeads,
      tile: tiles - 1,
    },
    groups: [tiles, kvHeads],
    work: 3 * matrixWork(call),
  });
}

/** Keys of all key heads that workgroups should have, together: what attentionScratch has room for. */
const KEYS_AT_ONCE = 384 * 32;

/** How many shares the query heads of a key head are in, of how many heads, and where each share's dk and dv go. */
function sharesOf({
  tokens,
  heads,
  kvHeads,
  headDim,
  scratch,
  dk,
  dv,
}: Attention & { dk: View; dv: View; scratch: View }) {
  const shared = heads / kvHeads;
  const most = Math.floor(KEYS_AT_ONCE / (32 * ceilDiv(tokens, 32) * kvHeads));
  const partHeads = ceilDiv(shared, Math.max(1, most));
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
  return { parts, partHeads, values, k0, v0 };
}

/** Operations of one of attention's matrix products over the causal half, as if the pass were one document. */
function matrixWork({ tokens, heads, headDim }: Attention): number {
  return tokens * tokens * heads * headDim;
}
