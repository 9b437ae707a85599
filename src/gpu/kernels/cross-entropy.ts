import code from '../../../shaders/cross_entropy.wgsl';
import partialCode from '../../../shaders/cross_entropy_partial.wgsl';
import { ceilDiv } from '../grid.ts';
import { Kernel } from '../kernel.ts';
import type { BufferView } from '../memory.ts';
import type { Stream } from '../stream.ts';

const partialKernel = new Kernel({
  name: 'cross_entropy_partial',
  code: partialCode,
  buffers: ['read', 'read_write'],
  params: { vocab: 'u32', slice: 'u32' },
});

const kernel = new Kernel({
  name: 'cross_entropy',
  code,
  buffers: ['read', 'read_write', 'read', 'read_write'],
  params: { vocab: 'u32', slice: 'u32', begin: 'u32', gradient: 'u32', scale: 'f32' },
});

/** Logits of a row per workgroup. */
const SLICE = 8192;

/** Size in f32 values of the `scratch` of crossEntropy. */
export const crossEntropyScratch = (rows: number, vocab: number): number => 2 * rows * ceilDiv(vocab, SLICE);

interface CrossEntropy {
  /** [rows, vocab]; overwritten by the gradient if `gradScale` is given, otherwise left unchanged. */
  logits: BufferView;
  /** u32 [rows], each below `vocab` */
  labels: BufferView;
  /** At least [lossBegin + rows] */
  losses: BufferView;
  lossBegin: number;
  /** At most 65,535. */
  rows: number;
  vocab: number;
  gradScale?: number | undefined;
  scratch: BufferView;
}

/**
 * losses[lossBegin + r] = −log softmax(logits[r])[labels[r]]; logits := (softmax − onehot)·gradScale if given. A
 * row with a non-finite logit yields a NaN loss and NaN gradients.
 */
export function crossEntropy(
  stream: Stream,
  { logits, labels, losses, lossBegin, rows, vocab, gradScale, scratch }: CrossEntropy,
): void {
  const groups = [ceilDiv(vocab, SLICE), rows] as const;
  const bytes = 4 * rows * vocab;
  stream.dispatch(partialKernel, {
    buffers: [logits, scratch],
    params: { vocab, slice: SLICE },
    ...{ groups, bytes },
  });
  stream.dispatch(kernel, {
    buffers: [scratch, logits, labels, losses],
    params: {
      vocab,
      slice: SLICE,
      begin: lossBegin,
      gradient: Number(gradScale !== undefined),
      scale: gradScale ?? 0,
    },
    ...{ groups, bytes },
  });
}
