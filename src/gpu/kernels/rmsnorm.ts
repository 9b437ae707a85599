// Reference: B. Zhang, R. Sennrich, "Root Mean Square Layer Normalization", arXiv:1910.07467.
import forward from '../../../shaders/rmsnorm.wgsl';
import backward from '../../../shaders/rmsnorm_backward.wgsl';
import bySubgroups from '../../../shaders/shared/reduce_by_subgroups.wgsl';
import byWorkgroup from '../../../shaders/shared/reduce_by_workgroup.wgsl';
import { spread } from '../grid.ts';
import { type Constants, Kernel } from '../kernel.ts';
import type { BufferView } from '../memory.ts';
import type { Stream } from '../stream.ts';
import type { Variant } from './linear/nf4-variant.ts';

/** How a row is summed: in workgroup memory, which every device has, or with subgroups. */
export type Reduction = 'workgroup' | 'subgroups';

const REDUCE: Readonly<Record<Reduction, string>> = { workgroup: byWorkgroup, subgroups: bySubgroups };

const forwardKernel = (reduction: Reduction) =>
  new Kernel({
    name: `rmsnorm by ${reduction}`,
    code: REDUCE[reduction] + forward,
    buffers: ['read', 'read', 'read_write'],
    params: { rows: 'u32', width4: 'u32', eps: 'f32' },
  });

const backwardKernel = (reduction: Reduction) =>
  new Kernel({
    name: `rmsnorm_backward by ${reduction}`,
    code: REDUCE[reduction] + backward,
    buffers: ['read', 'read', 'read', 'read_write'],
    params: { rows: 'u32', width4: 'u32', eps: 'f32', accumulate: 'u32' },
  });

const forwardKernels = { workgroup: forwardKernel('workgroup'), subgroups: forwardKernel('subgroups') };
const backwardKernels = { workgroup: backwardKernel('workgroup'), subgroups: backwardKernel('subgroups') };

/**
 * A row of no more quads than this takes as many threads: the others would only wait at the barriers, which is slow
 * where they are the CPU's. Their sums would be zeros, so the bits are the same.
 */
const NARROW = 32;

const constants = (width: number, reduction: Reduction): Constants =>
  reduction === 'workgroup' && width / 4 <= NARROW ? { THREADS: NARROW } : {};

/** Root-mean-square normalization over the last axis; `width` is a multiple of 4. */
interface RmsNorm {
  /** [rows, width] */
  x: BufferView;
  /** [width] */
  weight: BufferView;
  rows: number;
  width: number;
  eps: number;
}

interface RmsNormForward extends RmsNorm {
  /** [rows, width] */
  y: BufferView;
}

/** y = rmsnorm(x)·weight. */
export function rmsnorm(
  stream: Stream,
  { x, weight, rows, width, eps, y }: RmsNormForward,
  reduction: Reduction = 'workgroup',
): void {
  stream.dispatch(forwardKernels[reduction], {
    buffers: [x, weight, y],
    params: { rows, width4: width / 4, eps },
    constants: constants(width, reduction),
    groups: spread(rows),
    bytes: 4 * width * (2 * rows + 1),
  });
}

/** dx = (or, with `accumulate`, +=) the gradient of rmsnorm with respect to x, given dy [rows, width]. */
export function rmsnormBackward(
  stream: Stream,
  {
    x,
    weight,
    dy,
    dx,
    rows,
    width,
    eps,
    accumulate,
  }: RmsNorm & { dy: BufferView; dx: BufferView; accumulate: boolean },
  reduction: Reduction = 'workgroup',
): void {
  stream.dispatch(backwardKernels[reduction], {
    buffers: [x, weight, dy, dx],
    params: { rows, width4: width / 4, eps, accumulate: Number(accumulate) },
    constants: constants(width, reduction),
    groups: spread(rows),
  });
}

const variant = (name: Reduction, supported: Variant<RmsNormForward>['supported']) => ({
  name,
  precision: 'f32' as const,
  supported,
  dispatch: (stream: Stream, call: RmsNormForward) => rmsnorm(stream, call, name),
});

/** Both reductions, for tuning; the first is the default. */
export const NORMS: readonly (Variant<RmsNormForward> & { name: Reduction })[] = [
  variant('workgroup', () => true),
  variant('subgroups', ({ device }) => device.features.has('subgroups')),
];
