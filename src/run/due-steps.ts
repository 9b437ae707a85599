import { dueAfter } from '../train/cadence.ts';
import type { Prepared } from './input/prepare.ts';

/** Whether a step is followed by a log entry, an evaluation, a checkpoint. */
export type DueSteps = Readonly<Record<'log' | 'evaluation' | 'checkpoint', (step: number) => boolean>>;

/** When a run logs, evaluates and saves. */
export function dueSteps(prepared: Prepared): DueSteps {
  const { training } = prepared.inputs.recipe;
  const { loggingStrategy, loggingSteps, evalStrategy, evalSteps, saveStrategy, saveSteps } = training;
  return {
    log: dueAfter({ strategy: loggingStrategy, steps: loggingSteps }, prepared, { atEnd: false }),
    evaluation: dueAfter({ strategy: evalStrategy, steps: evalSteps }, prepared, { atEnd: true }),
    checkpoint: dueAfter({ strategy: saveStrategy, steps: saveSteps }, prepared, { atEnd: true }),
  };
}
