import { evaluate } from '../train/evaluate.ts';
import type { Phase } from './events.ts';
import type { Prepared } from './input/prepare.ts';
import type { FinetuneOptions } from './options.ts';
import type { Session } from './session.ts';

interface EvaluationOptions extends Pick<FinetuneOptions, 'emit' | 'signal'> {
  /** What it is called in progress. */
  phase: Phase;
  onPassEnd: () => Promise<void>;
}

/** eval_loss of the rows to evaluate on, and how long that took, under transformers' keys. */
export async function evaluateRows(
  { runner, plan }: Session,
  { evalRows, inputs }: Prepared,
  { phase, emit, signal, onPassEnd }: EvaluationOptions,
): Promise<{ eval_loss: number; [key: string]: number }> {
  const batch = inputs.recipe.training.evalBatchSize;
  const total = evalRows.length;
  const begun = performance.now();
  const { loss } = await evaluate(runner, evalRows, {
    batch,
    passTokens: plan.passTokens,
    onProgress: (done) => emit({ type: 'phase', phase, done, total, unit: 'rows' }),
    onPassEnd,
    signal,
  });
  const seconds = (performance.now() - begun) / 1000;
  return {
    eval_loss: loss,
    eval_runtime: seconds,
    eval_samples_per_second: total / seconds,
    eval_steps_per_second: Math.ceil(total / batch) / seconds,
  };
}
