import { crossEntropy } from '../gpu/kernels/cross-entropy.ts';
import { gatherRows, scatterRows } from '../gpu/kernels/embedding.ts';
import { LM_HEADS } from '../gpu/kernels/lm-head/index.ts';
import { type BufferView, view } from '../gpu/memory.ts';
import { logitRows } from './activations.ts';
import type { PassContext } from './decoder.ts';

/**
 * Cross-entropy of the pass's `targets` labeled rows, from `normed` [T, C], in chunks of rows so that the logits
 * of all tokens never exist at once. losses[lossBegin + i] = loss of target i. If `gradScale` is given,
 * `postAttention` becomes gradScale·d(Σ losses)/d(normed) [T, C], zero in rows without a label.
 */
export async function headLoss(
  ctx: PassContext,
  call: { targets: number; losses: BufferView; lossBegin: number; gradScale?: number },
): Promise<void> {
  const { stream, base, acts, rows, products } = ctx;
  const { hiddenSize: width, vocabSize: vocab } = base.config;
  const { targets, losses, lossBegin, gradScale } = call;
  const dnormed = view(acts.buffers.postAttention);
  if (gradScale !== undefined) {
    stream.clear(view(acts.buffers.postAttention, 0, 4 * rows * width));
  }
  const head = products?.head ?? LM_HEADS[0]!;
  const chunk = logitRows(acts.shape);
  const [x, logits, dx] = [view(acts.buffers.headIn), view(acts.buffers.logits), view(acts.buffers.headGrad)];
  for (let begin = 0; begin < targets; begin += chunk) {
    const count = Math.min(chunk, targets - begin);
    const index = view(acts.buffers.targetIndex, 4 * begin);
    gatherRows(stream, { x: view(acts.buffers.normed), index, y: x, count, width });
    const rowScales = acts.rowScales(0);
    const packed = acts.headPacked;
    head.forward(stream, { x, table: base.head, logits, rows: count, rowScales, packed });
    const labels = view(acts.buffers.labels, 4 * begin);
    crossEntropy(stream, {
      logits,
      labels,
      losses,
      lossBegin: lossBegin + begin,
      rows: count,
      vocab,
      gradScale,
      scratch: view(acts.buffers.lossScratch),
    });
    if (gradScale !== undefined) {
      const call = { dlogits: logits, table: base.head, scratch: acts.headScratch, dx, rows: count };
      head.backward(stream, { ...call, gradScale, rowScales, packed });
      scatterRows(stream, { x: dx, index, y: dnormed, count, width });
    }
    await stream.throttle();
  }
}
