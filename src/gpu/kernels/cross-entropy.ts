import code from '../../../shaders/cross_entropy.wgsl?raw';
import { spread } from '../grid.ts';
import { Kernel } from '../kernel.ts';
import type { View } from '../memory.ts';
import type { Stream } from '../stream.ts';

const kernel = new Kernel({
  name: 'cross_entropy',
  code,
  buffers: ['read_write', 'read', 'read_write'],
  params: { rows: 'u32', vocab: 'u32', begin: 'u32', gradient: 'u32', scale: 'f32' },
});

export interface CrossEntropy {
  /** [rows, vocab]; overwritten by the gradient where `gradScale` is given, else left as it is. */
  logits: View;
  /** u32 [rows], each below `vocab` */
  labels: View;
  /** At least [lossBegin + rows] */
  losses: View;
  lossBegin: number;
  rows: number;
  vocab: number;
  gradScale?: number | undefined;
}

/**
 * losses[lossBegin + r] = −log softmax(logits[r])[labels[r]]; logits := (softmax − onehot)·gradScale if given.
 * A row with a logit that is not finite gives a loss and gradients of NaN.
 */
export function crossEntropy(
  stream: Stream,
  { logits, labels, losses, lossBegin, rows, vocab, gradScale }: CrossEntropy,
): void {
  stream.dispatch(kernel, {
    buffers: [logits, labels, losses],
    params: {
      rows,
      vocab,
      begin: lossBegin,
      gradient: Number(gradScale !== undefined),
      scale: gradScale ?? 0,
    },
    groups: spread(rows),
  });
}
