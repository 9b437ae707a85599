import matmul from '../../../shaders/nf4_matmul_f16.wgsl?raw';
import matmulGrad from '../../../shaders/nf4_matmul_grad_f16.wgsl?raw';
import matmulMatrix from '../../../shaders/nf4_matmul_matrix.wgsl?raw';
import matmulGradMatrix from '../../../shaders/nf4_matmul_grad_matrix.wgsl?raw';
import byFlag from '../../../shaders/subgroup_matrix_by_flag.wgsl?raw';
import byOrder from '../../../shaders/subgroup_matrix_by_order.wgsl?raw';
import type { Gpu } from '../device.ts';
import { ceilDiv } from '../grid.ts';
import { Kernel } from '../kernel.ts';
import type { MatrixShape, MatrixUnits } from '../matrix-units.ts';
import type { Stream } from '../stream.ts';
import { FORWARD_PARAMS, GRAD_PARAMS, nestedParams, type Nf4Matmul, type Nf4MatmulGrad } from './nf4-call.ts';
import type { Nf4ForwardVariant, Nf4GradVariant } from './nf4-variant.ts';
import { rowScale } from './row-scale.ts';

type ForwardKernel = Kernel<typeof FORWARD_PARAMS>;
type GradKernel = Kernel<typeof GRAD_PARAMS>;

/** Tile of a workgroup: rows of the output, and its columns (the weight's rows forward, its depth backward). */
interface Tile {
  rows: number;
  columns: number;
}

/** A kernel for y = x·wᵀ with operands in f16: the bindings are nf4_matmul_f16's. */
export const forwardKernel = (name: string, code: string): ForwardKernel =>
  new Kernel({
    name,
    code,
    buffers: ['read', 'read', 'read', 'read', 'read', 'read', 'read', 'read', 'read_write'],
    params: FORWARD_PARAMS,
  });

/** A kernel for dx = dy·w with operands in f16: the bindings are nf4_matmul_grad_f16's. */
export const gradKernel = (name: string, code: string): GradKernel =>
  new Kernel({
    name,
    code,
    buffers: ['read', 'read', 'read', 'read', 'read', 'read', 'read_write'],
    params: GRAD_PARAMS,
  });

/** Scales the rows of x, then multiplies. `rowScales` of the call is needed. */
export function dispatchForward(stream: Stream, kernel: ForwardKernel, tile: Tile, call: Nf4Matmul): void {
  const { x, weight, y, rows, lora, bias, residual, rowScales } = call;
  const { columns, depth, codes, scales } = weight;
  rowScale(stream, { x, scales: rowScales!, rows, width: depth });
  const { activations: u = x, matrix: b = x, rank = 0 } = lora ?? {};
  stream.dispatch(kernel, {
    // What is absent is bound to x and never read.
    buffers: [x, codes, scales, u, b, bias ?? x, residual ?? x, rowScales!, y],
    params: {
      rows,
      columns,
      depth,
      rank,
      has_bias: Number(!!bias),
      has_residual: Number(!!residual),
      ...nestedParams(weight),
    },
    groups: [ceilDiv(columns, tile.columns), ceilDiv(rows, tile.rows)],
    constants: { NESTED: Number(!!weight.nested) },
    work: 2 * rows * columns * depth,
  });
}

/** Scales the rows of dy, then multiplies. `rowScales` of the call is needed. */
export function dispatchGrad(stream: Stream, kernel: GradKernel, tile: Tile, call: Nf4MatmulGrad): void {
  const { dy, weight, dx, rows, lora, accumulate, rowScales } = call;
  const { columns, depth, codes, scales } = weight;
  rowScale(stream, { x: dy, scales: rowScales!, rows, width: columns });
  const { activations: v = dy, matrix: a = dy, rank = 0 } = lora ?? {};
  stream.dispatch(kernel, {
    buffers: [dy, codes, scales, v, a, rowScales!, dx],
    params: { rows, columns, depth, rank, accumulate: Number(accumulate), ...nestedParams(weight) },
    groups: [ceilDiv(depth, tile.columns), ceilDiv(rows, tile.rows)],
    constants: { NESTED: Number(!!weight.nested) },
    work: 2 * rows * columns * depth,
  });
}

const HALF_TILE: Tile = { rows: 64, columns: 128 };
const halfForward = forwardKernel('nf4_matmul_f16', matmul);
const halfGrad = gradKernel('nf4_matmul_grad_f16', matmulGrad);

/** Nine storage buffers are one more than WebGPU's floor. */
const hasHalves = ({ device }: Gpu): boolean =>
  device.features.has('shader-f16') && device.limits.maxStorageBuffersPerShaderStage >= 9;

/** A grid of subgroups that share a workgroup's tiles; each makes 2 × 4 matrices. */
interface SubgroupGrid {
  down: number;
  across: number;
}

const GRIDS: readonly SubgroupGrid[] = [
  { down: 2, across: 2 },
  { down: 4, across: 2 },
];

const matrixTile = ({ M, N }: MatrixShape, { down, across }: SubgroupGrid): Tile => ({
  rows: 2 * M * down,
  columns: 4 * N * across,
});

/** The head that a text on matrix units expects before it. */
export function matrixHead(
  { M, N, K }: MatrixShape,
  { down, across }: SubgroupGrid,
  subgroup: number,
): string {
  return `const M = ${M}; const N = ${N}; const K = ${K};
const SUBGROUP_SIZE = ${subgroup}u; const SUBGROUPS_M = ${down}u; const SUBGROUPS_N = ${across}u;
`;
}

const ENABLE = `enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;
`;

/** The whole text of a kernel on matrix units. */
export function matrixText(
  shape: MatrixShape,
  grid: SubgroupGrid,
  { dialect, subgroupSize }: MatrixUnits,
  code: string,
): string {
  return [ENABLE, matrixHead(shape, grid, subgroupSize), dialect === 'order' ? byOrder : byFlag, code].join(
    '',
  );
}

/** One kernel for each device's shape and dialect, made when it is first wanted. */
function matrixKernels<K>(code: string, grid: SubgroupGrid, make: (name: string, code: string) => K) {
  const made = new Map<string, K>();
  return (gpu: Gpu): { kernel: K; tile: Tile } => {
    const shape = largest(gpu.matrix!.shapes);
    const text = matrixText(shape, grid, gpu.matrix!, code);
    let kernel = made.get(text);
    if (!kernel) {
      const { M, N, K } = shape;
      kernel = make(`nf4 on ${M}x${N}x${K} matrices, ${grid.down}x${grid.across}`, text);
      made.set(text, kernel);
    }
    return { kernel, tile: matrixTile(shape, grid) };
  };
}

/** Larger matrices do more work for each load. */
const largest = (shapes: readonly MatrixShape[]): MatrixShape =>
  shapes.reduce((best, shape) => (volume(shape) > volume(best) ? shape : best));
const volume = ({ M, N, K }: MatrixShape): number => M * N * K;

/** Whether the grid's workgroup fits the device: its threads, and its tiles with the matrices on their way out. */
function fits(gpu: Gpu, grid: SubgroupGrid): boolean {
  // On llvmpipe such kernels compile and then crash.
  if (!gpu.matrix || gpu.software || !hasHalves(gpu)) return false;
  const shape = largest(gpu.matrix.shapes);
  const { rows, columns } = matrixTile(shape, grid);
  const subgroups = grid.down * grid.across;
  const bytes =
    2 * 40 * rows + 2 * Math.max(40 * columns, 32 * (columns + 8)) + 4 * shape.M * shape.N * subgroups + 64;
  const { limits } = gpu.device;
  return (
    bytes <= limits.maxComputeWorkgroupStorageSize &&
    subgroups * gpu.matrix.subgroupSize <= limits.maxComputeInvocationsPerWorkgroup
  );
}

/** The rungs above f32, forward. */
export const HALF_FORWARD: readonly Nf4ForwardVariant[] = [
  {
    name: 'f16 64x128',
    precision: 'f16',
    supported: hasHalves,
    dispatch: (stream, call) => dispatchForward(stream, halfForward, HALF_TILE, call),
  },
  ...GRIDS.map((grid): Nf4ForwardVariant => {
    const kernels = matrixKernels(matmulMatrix, grid, forwardKernel);
    return {
      name: `matrix ${grid.down}x${grid.across}`,
      precision: 'matrix',
      supported: (gpu) => fits(gpu, grid),
      dispatch(stream, call) {
        const { kernel, tile } = kernels(stream.gpu);
        dispatchForward(stream, kernel, tile, call);
      },
    };
  }),
];

/** The rungs above f32, for the input's gradient. */
export const HALF_GRAD: readonly Nf4GradVariant[] = [
  {
    name: 'f16 64x128',
    precision: 'f16',
    supported: hasHalves,
    dispatch: (stream, call) => dispatchGrad(stream, halfGrad, HALF_TILE, call),
  },
  ...GRIDS.map((grid): Nf4GradVariant => {
    const kernels = matrixKernels(matmulGradMatrix, grid, gradKernel);
    return {
      name: `matrix ${grid.down}x${grid.across}`,
      precision: 'matrix',
      supported: (gpu) => fits(gpu, grid),
      dispatch(stream, call) {
        const { kernel, tile } = kernels(stream.gpu);
        dispatchGrad(stream, kernel, tile, call);
      },
    };
  }),
];
