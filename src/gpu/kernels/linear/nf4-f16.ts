import matmul from '../../../../shaders/linear/nf4_matmul_f16.wgsl';
import matmulGrad from '../../../../shaders/linear/nf4_matmul_grad_f16.wgsl';
import matmulGradMatrix from '../../../../shaders/linear/nf4_matmul_grad_matrix.wgsl';
import matmulMatrix from '../../../../shaders/linear/nf4_matmul_matrix.wgsl';
import { ceilDiv } from '../../grid.ts';
import { type Constants, Kernel, type NamedConstants } from '../../kernel.ts';
import type { Stream } from '../../stream.ts';
import { rowScale } from '../shared/row-scale.ts';
import { GRIDS, hasHalves, matrixFits, matrixKernels, type Tile } from '../shared/subgroup-matrix-kernels.ts';
import {
  FORWARD_PARAMS,
  GRAD_PARAMS,
  nestedParams,
  type Nf4Matmul,
  type Nf4MatmulGrad,
  weightBuffers,
  weightConstants,
} from './nf4-operands.ts';
import type { Nf4ForwardVariant, Nf4GradVariant } from './nf4-variant.ts';

/** The kernels' shaders; matrixText adds what those on subgroup matrices require. */
export const HALF_TEXTS = {
  forward: matmul,
  grad: matmulGrad,
  matrixForward: matmulMatrix,
  matrixGrad: matmulGradMatrix,
};

type ForwardKernel = Kernel<typeof FORWARD_PARAMS>;
type GradKernel = Kernel<typeof GRAD_PARAMS>;

/** A kernel for y = x·wᵀ with f16 operands, with the bindings of nf4_matmul_f16. */
export const forwardKernel = (
  name: string,
  code: string,
  variants: readonly NamedConstants[] = [],
): ForwardKernel =>
  new Kernel({
    name,
    code,
    buffers: ['read', 'read', 'read', 'read', 'read', 'read', 'read', 'read', 'read_write'],
    params: FORWARD_PARAMS,
    variants,
  });

/** A kernel for dx = dy·w with f16 operands, with the bindings of nf4_matmul_grad_f16. */
export const gradKernel = (
  name: string,
  code: string,
  variants: readonly NamedConstants[] = [],
): GradKernel =>
  new Kernel({
    name,
    code,
    buffers: ['read', 'read', 'read', 'read', 'read', 'read', 'read_write'],
    params: GRAD_PARAMS,
    variants,
  });

/** Scales the rows of x unless that is done already, then multiplies. Requires `rowScales`. */
export function dispatchForward(
  stream: Stream,
  kernel: ForwardKernel,
  tile: Tile,
  call: Nf4Matmul,
  constants?: Constants,
): void {
  const { x, weight, y, rows, lora, bias, residual, rowScales, shared } = call;
  const { columns, depth } = weight;
  if (!shared?.scaled) {
    rowScale(stream, { x, scales: rowScales!, rows, width: depth });
  }
  if (shared) {
    shared.scaled = true;
  }
  const { activations: u = x, matrix: b = x, rank = 0 } = lora ?? {};
  stream.dispatch(kernel, {
    // Absent operands are bound to x and never read.
    buffers: [x, ...weightBuffers(weight), u, b, bias ?? x, residual ?? x, rowScales!, y],
    params: {
      rows,
      out_features: columns,
      in_features: depth,
      rank,
      has_bias: Number(!!bias),
      has_residual: Number(!!residual),
      ...nestedParams(weight),
    },
    groups: [ceilDiv(columns, tile.columns), ceilDiv(rows, tile.rows)],
    constants: { ...weightConstants(weight), ...constants },
    work: 2 * rows * columns * (depth + rank),
  });
}

/** Scales the rows of dy, then multiplies. Requires `rowScales`. */
export function dispatchGrad(
  stream: Stream,
  kernel: GradKernel,
  tile: Tile,
  call: Nf4MatmulGrad,
  constants?: Constants,
): void {
  const { dy, weight, dx, rows, lora, accumulate, rowScales } = call;
  const { columns, depth } = weight;
  rowScale(stream, { x: dy, scales: rowScales!, rows, width: columns });
  const { activations: v = dy, matrix: a = dy, rank = 0 } = lora ?? {};
  stream.dispatch(kernel, {
    buffers: [dy, ...weightBuffers(weight), v, a, rowScales!, dx],
    params: {
      rows,
      out_features: columns,
      in_features: depth,
      rank,
      accumulate: Number(accumulate),
      ...nestedParams(weight),
    },
    groups: [ceilDiv(depth, tile.columns), ceilDiv(rows, tile.rows)],
    constants: { ...weightConstants(weight), ...constants },
    work: 2 * rows * depth * (columns + rank),
  });
}

const HALF_TILE: Tile = { rows: 64, columns: 128 };
/** How the f16 tiles accumulate: in f32, or sixteen products in f16 first, for GPUs that do f16 at twice the rate. */
export const HALF_SUMS = [
  { name: 'f16 64x128 with sums in f32', constants: { HALF_SUMS: 0 } },
  { name: 'f16 64x128', constants: { HALF_SUMS: 1 } },
] as const;
const halfForward = forwardKernel('nf4_matmul_f16', HALF_TEXTS.forward, HALF_SUMS);
const halfGrad = gradKernel('nf4_matmul_grad_f16', HALF_TEXTS.grad, HALF_SUMS);

/** Forward variants of the precisions above f32 that decode weights as they multiply. */
export const HALF_FORWARD: readonly Nf4ForwardVariant[] = [
  ...HALF_SUMS.map(({ name, constants }): Nf4ForwardVariant => ({
    name,
    precision: 'f16',
    supported: hasHalves,
    dispatch: (stream, call) => dispatchForward(stream, halfForward, HALF_TILE, call, constants),
  })),
  ...GRIDS.map((grid): Nf4ForwardVariant => {
    const kernels = matrixKernels('nf4_matmul_matrix', HALF_TEXTS.matrixForward, grid, forwardKernel);
    return {
      name: `matrix ${grid.down}x${grid.across}`,
      precision: 'matrix',
      supported: (gpu) => matrixFits(gpu, grid),
      dispatch(stream, call) {
        const { kernel, tile } = kernels(stream.gpu);
        dispatchForward(stream, kernel, tile, call);
      },
    };
  }),
];

/** Input-gradient variants of the precisions above f32, likewise. */
export const HALF_GRAD: readonly Nf4GradVariant[] = [
  ...HALF_SUMS.map(({ name, constants }): Nf4GradVariant => ({
    name,
    precision: 'f16',
    supported: hasHalves,
    dispatch: (stream, call) => dispatchGrad(stream, halfGrad, HALF_TILE, call, constants),
  })),
  ...GRIDS.map((grid): Nf4GradVariant => {
    const kernels = matrixKernels('nf4_matmul_grad_matrix', HALF_TEXTS.matrixGrad, grid, gradKernel);
    return {
      name: `matrix ${grid.down}x${grid.across}`,
      precision: 'matrix',
      supported: (gpu) => matrixFits(gpu, grid),
      dispatch(stream, call) {
        const { kernel, tile } = kernels(stream.gpu);
        dispatchGrad(stream, kernel, tile, call);
      },
    };
  }),
];
