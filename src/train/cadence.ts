// Reference: transformers, src/transformers/trainer_callback.py (DefaultFlowCallback).
import { type Grouping, stepsPerEpoch } from './schedule.ts';

/** How often something happens: every so many steps, at the end of every epoch, or never. */
interface Cadence {
  readonly strategy?: 'epoch' | 'no' | undefined;
  /** Optimizer steps from one time to the next; below 1, a fraction of all steps. */
  readonly steps: number;
}

/** Steps from one time to the next; a fraction of all steps is rounded up, as in transformers. */
export function stepsBetween({ steps }: Pick<Cadence, 'steps'>, maxSteps: number): number {
  return steps < 1 ? Math.ceil(maxSteps * steps) : steps;
}

/**
 * Whether it is due after step k (from 1), as transformers' DefaultFlowCallback decides. `atEnd`: also after the
 * last step, unless the strategy is "no"; the last step also ends a partial epoch.
 */
export function dueAfter(
  cadence: Cadence,
  run: { maxSteps: number; grouping: Grouping },
  { atEnd }: { atEnd: boolean },
): (step: number) => boolean {
  const { strategy } = cadence;
  const { maxSteps, grouping } = run;
  if (strategy === 'no') {
    return () => false;
  }
  const every = strategy === 'epoch' ? stepsPerEpoch(grouping) : stepsBetween(cadence, maxSteps);
  const last = atEnd || strategy === 'epoch';
  return (step) => step % every === 0 || (last && step === maxSteps);
}
