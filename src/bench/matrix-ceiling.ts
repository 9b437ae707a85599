import code from '../../shaders/bench_matrix.wgsl?raw';
import type { Gpu } from '../gpu/device.ts';
import { Kernel } from '../gpu/kernel.ts';
import { GRIDS, matrixFits, matrixKernels } from '../gpu/kernels/matrix-kernels.ts';
import { view } from '../gpu/memory.ts';
import type { Stream } from '../gpu/stream.ts';
import { timeCalls, type Timing } from './measure.ts';

const GRID = GRIDS[0]!;

/** A kernel that repeats products on matrix units; its binding is what it writes, 8 matrices of sums a subgroup. */
export const matrixBench = (name: string, text: string) =>
  new Kernel({
    name,
    code: text,
    buffers: ['read_write'],
    params: { rounds: 'u32', left: 'f32', right: 'f32' },
  });

const kernels = matrixKernels('bench_matrix', code, GRID, matrixBench);

/** Whether the device has matrix units that kernels run on. */
export const hasMatrixCeiling = (gpu: Gpu): boolean => matrixFits(gpu, GRID);

/** Workgroups, and rounds of each: 4 TFLOP a call, against 128 MiB written, with matrices of 16 × 16 × 16. */
const GROUPS = 4096;
const ROUNDS = 4096;

/** Times products with f16 operands and f32 sums on matrix units; `shape` as "16x16x16". */
export async function timeMatrixUnits(
  stream: Stream,
  rounds: number,
): Promise<{ time: Timing; work: number; shape: string }> {
  const { memory } = stream.gpu;
  const { kernel, tile } = kernels(stream.gpu);
  // M·N of the 8 matrices of each subgroup are the tile's.
  const sums = tile.rows * tile.columns;
  const out = memory.allocate('bench', 'working activations', 4 * sums * GROUPS);
  const shape = kernel.spec.name.split(' ')[1]!;
  const K = Number(shape.split('x')[2]);
  const work = 2 * sums * K * GROUPS * ROUNDS;
  const time = await timeCalls(stream, rounds, () =>
    stream.dispatch(kernel, {
      buffers: [view(out)],
      params: { rounds: ROUNDS, left: 1 / 64, right: 1 / 64 },
      groups: [GROUPS],
      work,
    }),
  );
  memory.free(out);
  return { time, work, shape };
}
