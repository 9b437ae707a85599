import backward from '../../../../shaders/lm-head/head_matmul_grad_matrix.wgsl';
import forward from '../../../../shaders/lm-head/head_matmul_matrix.wgsl';
import { ceilDiv } from '../../grid.ts';
import { Kernel } from '../../kernel.ts';
import type { BufferView } from '../../memory.ts';
import type { Stream } from '../../stream.ts';
import { FORMAT_CODE } from '../shared/float-format.ts';
import { rowScale } from '../shared/row-scale.ts';
import { GRIDS, matrixKernels, type Tile } from '../shared/subgroup-matrix-kernels.ts';
import { headBytes, SLICE, sumByParts, type Table } from './lm-head.ts';

/** The kernels' shaders; matrixText adds what they require. */
export const HEAD_TEXTS = { forward, grad: backward };

const FORWARD_PARAMS = { rows: 'u32', count: 'u32', width: 'u32', first: 'u32', stride: 'u32' } as const;
const GRAD_PARAMS = {
  ...FORWARD_PARAMS,
  first_slice: 'u32',
  slice_count: 'u32',
  scale: 'f32',
} as const;

/** A kernel for logits = x·tableᵀ with f16 operands, with the bindings of head_matmul_matrix. */
export const headKernel = (name: string, code: string) =>
  new Kernel({ name, code, buffers: ['read', 'read', 'read', 'read_write'], params: FORWARD_PARAMS });

/** A kernel for its gradient, with the bindings of head_matmul_grad_matrix. */
export const headGradKernel = (name: string, code: string) =>
  new Kernel({ name, code, buffers: ['read', 'read', 'read_write'], params: GRAD_PARAMS });

export interface HeadForward {
  /** [rows, width] */
  x: BufferView;
  table: Table;
  /** [rows, vocab] */
  logits: BufferView;
  rows: number;
  /** [rows] f32, scratch. */
  rowScales: BufferView;
  /** For packed operands, `packedHeadBytes`; without it, the table is decoded a tile at a time. */
  packed?: BufferView | undefined;
}

/** Scales the rows of x, then multiplies. */
export function dispatchHead(
  stream: Stream,
  kernel: ReturnType<typeof headKernel>,
  tile: Tile,
  { x, table, logits, rows, rowScales }: HeadForward,
): void {
  rowScale(stream, { x, scales: rowScales, rows, width: table.width });
  for (const { view, begin, count } of table.parts) {
    stream.dispatch(kernel, {
      buffers: [x, view, rowScales, logits],
      params: { rows, count, width: table.width, first: begin, stride: table.vocab },
      // Neighboring workgroups share rows of the table, so that these are read from memory once.
      groups: [ceilDiv(rows, tile.rows), ceilDiv(count, tile.columns)],
      constants: { FORMAT: FORMAT_CODE[table.format] },
      bytes: headBytes(view, rows, count + table.width),
      work: 2 * rows * count * table.width,
    });
  }
}

export interface HeadBackward {
  /** [rows, vocab] */
  dlogits: BufferView;
  table: Table;
  /** f32 [slices, rows, width]; see headSlices and packedHeadScratch. */
  scratch: BufferView;
  /** [rows, width] */
  dx: BufferView;
  rows: number;
  /** Upper bound of every |dlogits|. */
  gradScale: number;
  /** As in HeadForward. */
  rowScales?: BufferView | undefined;
  packed?: BufferView | undefined;
}

/** Both products on subgroup matrices, one variant per grid of subgroups; the table holds 16-bit values. */
export const MATRIX_HEADS = GRIDS.map((grid) => {
  const forwardKernels = matrixKernels('head_matmul_matrix', HEAD_TEXTS.forward, grid, headKernel);
  const gradKernels = matrixKernels('head_matmul_grad_matrix', HEAD_TEXTS.grad, grid, headGradKernel);
  return {
    grid,
    forward(stream: Stream, call: HeadForward): void {
      const { kernel, tile } = forwardKernels(stream.gpu);
      dispatchHead(stream, kernel, tile, call);
    },
    backward(stream: Stream, call: HeadBackward): void {
      const { kernel, tile } = gradKernels(stream.gpu);
      dispatchHeadGrad(stream, kernel, tile, call);
    },
  };
});

/** One dispatch per part of the table, then the sum of the slices. */
export function dispatchHeadGrad(
  stream: Stream,
  kernel: ReturnType<typeof headGradKernel>,
  tile: Tile,
  call: HeadBackward,
): void {
  const { dlogits, table, scratch, rows, gradScale } = call;
  // The largest element becomes at most 64, well inside f16; the smallest that matter stay normal numbers.
  const scale = 2 ** (Math.ceil(Math.log2(gradScale)) - 6);
  sumByParts(stream, call, ({ view, begin, count }, first_slice, slices) =>
    stream.dispatch(kernel, {
      buffers: [dlogits, view, scratch],
      params: {
        ...{ rows, count, width: table.width, first: begin, stride: table.vocab },
        ...{ first_slice, slice_count: SLICE, scale },
      },
      groups: [ceilDiv(table.width, tile.columns), ceilDiv(rows, tile.rows), slices],
      constants: { FORMAT: FORMAT_CODE[table.format] },
      bytes: headBytes(view, rows, count + slices * table.width),
      work: 2 * rows * count * table.width,
    }),
  );
}
