import { stepsPerEpoch, type Grouping } from './schedule.ts';

/** How often something is done: by steps, at the end of every epoch, or never. */
export interface Cadence {
  readonly strategy?: 'epoch' | 'no' | undefined;
  /** Optimizer steps between two times; below 1 a share of all steps. */
  readonly steps: number;
}

/** Steps between two times: those of a share of all steps are rounded up, as in transformers. */
export function stepsBetween({ steps }: Pick<Cadence, 'steps'>, maxSteps: number): number {
  return steps < 1 ? Math.ceil(maxSteps * steps) : steps;
}

/**
 * Whether it is due after step k (from 1), by transformers' DefaultFlowCallback. `atEnd`: after the last step too,
 * unless it is never done; the end of an epoch that is broken off is its end.
 */
export function dueAfter(
  cadence: Cadence,
  run: { maxSteps: number; grouping: Grouping },
  { atEnd }: { atEnd: boolean },
): (step: number) => boolean {
  const { strategy } = cadence;
  const { maxSteps, grouping } = run;
  if (strategy === 'no') return () => false;
  const every = strategy === 'epoch' ? stepsPerEpoch(grouping) : stepsBetween(cadence, maxSteps);
  const last = atEnd || strategy === 'epoch';
  return (step) => step % every === 0 || (last && step === maxSteps);
}
