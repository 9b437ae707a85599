import { isActive, type RunState } from '../shared/app-state.ts';

/** Percent between two announcements of a run's progress. */
const EVERY = 10;

/** What a screen reader is told of a run: its state, every tenth of its progress, and each checkpoint. */
export function announced(run: RunState, title: string): string {
  const { progress, checkpoints } = run;
  const last = checkpoints.at(-1);
  const parts = [title];
  if (progress && isActive(run)) {
    const share = (100 * progress.step) / progress.maxSteps;
    parts.push(`${EVERY * Math.floor(share / EVERY)}% done`);
  }
  if (last && isActive(run)) {
    parts.push(`checkpoint of step ${last.step} kept`);
  }
  return `${parts.join(', ')}.`;
}
