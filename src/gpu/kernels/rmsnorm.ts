import forward from '../../../shaders/rmsnorm.wgsl?raw';
import backward from '../../../shaders/rmsnorm_backward.wgsl?raw';
import { spread } from '../grid.ts';
import { Kernel } from '../kernel.ts';
import type { View } from '../memory.ts';
import type { Stream } from '../stream.ts';

const forwardKernel = new Kernel({
  name: 'rmsnorm',
  code: forward,
  buffers: ['read', 'read', 'read_write'],
  params: { rows: 'u32', width4: 'u32', eps: 'f32' },
});

const backwardKernel = new Kernel({
  name: 'rmsnorm_backward',
  code: backward,
  buffers: ['read', 'read', 'read', 'read_write'],
  params: { rows: 'u32', width4: 'u32', eps: 'f32', accumulate: 'u32' },
});

/** Root-mean-square normalisation over the last axis; `width` is a multiple of 4. */
export interface RmsNorm {
  /** [rows, width] */
  x: View;
  /** [width] */
  weight: View;
  rows: number;
  width: number;
  eps: number;
}

/** y = rmsnorm(x)·weight; y [rows, width]. */
export function rmsnorm(stream: Stream, { x, weight, rows, width, eps, y }: RmsNorm & { y: View }): void {
  stream.dispatch(forwardKernel, {
    buffers: [x, weight, y],
    params: { rows, width4: width / 4, eps },
    groups: spread(rows),
  });
}

/** dx = (or, with `accumulate`, +=) the gradient of rmsnorm with respect to x, given dy [rows, width]. */
export function rmsnormBackward(
  stream: Stream,
  { x, weight, dy, dx, rows, width, eps, accumulate }: RmsNorm & { dy: View; dx: View; accumulate: boolean },
): void {
  stream.dispatch(backwardKernel, {
    buffers: [x, weight, dy, dx],
    params: { rows, width4: width / 4, eps, accumulate: Number(accumulate) },
    groups: spread(rows),
  });
}
