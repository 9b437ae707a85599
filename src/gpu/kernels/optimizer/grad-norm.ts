// Reference: PyTorch, torch/nn/utils/clip_grad.py (clip_grad_norm_).
import finish from '../../../../shaders/optimizer/grad_norm_finish.wgsl';
import partial from '../../../../shaders/optimizer/grad_norm_partial.wgsl';
import { ceilDiv, spread } from '../../grid.ts';
import { Kernel } from '../../kernel.ts';
import type { BufferView } from '../../memory.ts';
import type { Stream } from '../../stream.ts';

/** Gradients per workgroup: 256 threads, eight vec4 each. */
const CHUNK = 8192;

const partialKernel = new Kernel({
  name: 'grad_norm_partial',
  code: partial,
  buffers: ['read', 'read_write'],
  params: { count4: 'u32', begin: 'u32' },
});

const finishKernel = new Kernel({
  name: 'grad_norm_finish',
  code: finish,
  buffers: ['read', 'read_write'],
  params: { partialCount: 'u32', maxNorm: 'f32' },
});

/** Number of partial sums that `gradNormPartial` writes for `count` gradients. */
export function gradNormPartials(count: number): number {
  return ceilDiv(count, CHUNK);
}

/**
 * partials[partialBegin…] = sums of squares of `count` f32 gradients (a multiple of 4), in a fixed order;
 * 1.1e38 for a chunk that holds NaN or infinity, or whose sum is larger.
 */
export function gradNormPartial(
  stream: Stream,
  { grads, partials, partialBegin, count }: GradNormPartial,
): void {
  stream.dispatch(partialKernel, {
    buffers: [grads, partials],
    params: { count4: count / 4, begin: partialBegin },
    groups: spread(gradNormPartials(count)),
  });
}

interface GradNormPartial {
  /** [count] */
  grads: BufferView;
  /** At least [partialBegin + gradNormPartials(count)] */
  partials: BufferView;
  partialBegin: number;
  count: number;
}

/**
 * control [4] = [global L2 norm before clipping, clip factor min(1, maxNorm/(norm + 1e-6)), 1 (all finite), 0]. A
 * non-finite gradient, or a norm above 1.04e19, gives [−1, 0, 0, 0]. A maxNorm of 0 disables clipping.
 */
export function gradNormFinish(
  stream: Stream,
  { partials, partialCount, control, maxNorm }: GradNormFinish,
): void {
  stream.dispatch(finishKernel, {
    buffers: [partials, control],
    params: { partialCount, maxNorm },
    groups: [1],
  });
}

interface GradNormFinish {
  /** At least [partialCount] */
  partials: BufferView;
  partialCount: number;
  control: BufferView;
  maxNorm: number;
}
