import code from '../../shaders/bench/bench_matrix.wgsl';
import type { Gpu } from '../gpu/device.ts';
import { Kernel } from '../gpu/kernel.ts';
import { GRIDS, matrixFits, matrixKernels } from '../gpu/kernels/shared/subgroup-matrix-kernels.ts';
import { view } from '../gpu/memory.ts';
import type { Stream } from '../gpu/stream.ts';
import { amountToTime, timeCalls, type Timing } from './measure.ts';

const GRID = GRIDS[0]!;

/**
 * A kernel that repeats products on subgroup matrices; its binding is its output, 8 matrices of sums per subgroup.
 */
export const matrixBench = (name: string, text: string) =>
  new Kernel({
    name,
    code: text,
    buffers: ['read_write'],
    params: { rounds: 'u32', left: 'f32', right: 'f32' },
  });

const kernels = matrixKernels('bench_matrix', code, GRID, matrixBench);

/** Whether the device has subgroup matrices that the kernels can use. */
export const hasMatrixCeiling = (gpu: Gpu): boolean => matrixFits(gpu, GRID);

/** Workgroups: with matrices of 16 × 16 × 16, one iteration of all is 1 GFLOP, and a call writes 128 MiB. */
const GROUPS = 4096;
/** On a device that computes on the CPU. */
const FEW_GROUPS = 16;

/**
 * Times products with f16 operands and f32 sums on subgroup matrices, with few workgroups if `small`; `shape` as
 * "16x16x16".
 */
export async function timeSubgroupMatrices(
  stream: Stream,
  rounds: number,
  small: boolean,
): Promise<{ time: Timing; work: number; shape: string }> {
  const { memory } = stream.gpu;
  const groups = small ? FEW_GROUPS : GROUPS;
  const { kernel, tile } = kernels(stream.gpu);
  // The 8 matrices of each subgroup share the tile's M·N.
  const sums = tile.rows * tile.columns;
  const out = memory.allocate('bench', 'working activations', 4 * sums * groups);
  const shape = kernel.spec.name.split(' ')[1]!;
  const K = Number(shape.split('x')[2]);
  const work = (repeats: number) => 2 * sums * K * groups * repeats;
  const call = (repeats: number) =>
    stream.dispatch(kernel, {
      buffers: [view(out)],
      params: { rounds: repeats, left: 1 / 64, right: 1 / 64 },
      groups: [groups],
      work: work(repeats),
    });
  const repeats = await amountToTime(stream, call);
  const time = await timeCalls(stream, rounds, () => call(repeats));
  memory.free(out);
  return { time, work: work(repeats), shape };
}
