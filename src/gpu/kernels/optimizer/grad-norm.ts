// Reference: PyTorch, torch/nn/utils/clip_grad.py (clip_grad_norm_).
import finish from '../../../../shaders/optimizer/grad_norm_finish.wgsl';
import partial from '../../../../shaders/optimizer/grad_norm_partial.wgsl';
import { ceilDiv, spread } from '../../grid.ts';
import { Kernel } from '../../kernel.ts';
import type { BufferView } from '../../memory.ts';
import type { Stream } from '../../stream.ts';

/** Gradients per workgroup: 256 threads, eight vec4 each. */
const CHUNK = 8192;

/** Layers of one dispatch: with the sums, as many buffers as every device binds. */
const LAYERS = 7;

const partialKernel = new Kernel({
  name: 'grad_norm_partial',
  code: partial,
  buffers: [...Array<'read'>(LAYERS).fill('read'), 'read_write'],
  params: {
    ...{ count0: 'u32', count1: 'u32', count2: 'u32', count3: 'u32' },
    ...{ count4: 'u32', count5: 'u32', count6: 'u32', unused: 'u32', begin: 'u32' },
  },
});

const finishKernel = new Kernel({
  name: 'grad_norm_finish',
  code: finish,
  buffers: ['read', 'read_write'],
  params: { partialCount: 'u32', maxNorm: 'f32' },
});

/** Number of partial sums that `gradNormPartial` writes for a layer of `count` gradients. */
export function gradNormPartials(count: number): number {
  return ceilDiv(count, CHUNK);
}

/**
 * partials = sums of squares of the layers' f32 gradients, layer after layer, in a fixed order; 1.1e38 for a chunk that
 * holds NaN or infinity, or whose sum is larger. Returns how many.
 */
export function gradNormPartial(
  stream: Stream,
  { layers, partials }: { layers: readonly LayerGradients[]; partials: BufferView },
): number {
  let begin = 0;
  for (let first = 0; first < layers.length; first += LAYERS) {
    const some = layers.slice(first, first + LAYERS);
    const count = (i: number) => (some[i]?.count ?? 0) / 4;
    const chunks = some.reduce((sum, layer) => sum + gradNormPartials(layer.count), 0);
    // Absent layers are bound to the first and never read.
    const grads = Array.from({ length: LAYERS }, (_, i) => (some[i] ?? some[0]!).grads);
    stream.dispatch(partialKernel, {
      buffers: [...grads, partials],
      params: {
        ...{ count0: count(0), count1: count(1), count2: count(2), count3: count(3) },
        ...{ count4: count(4), count5: count(5), count6: count(6), unused: 0, begin },
      },
      groups: spread(chunks),
      bytes: 4 * (some.reduce((sum, layer) => sum + layer.count, 0) + chunks),
    });
    begin += chunks;
  }
  return begin;
}

/** The gradients of one layer. */
interface LayerGradients {
  /** f32 [count] */
  grads: BufferView;
  /** A multiple of 4. */
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
