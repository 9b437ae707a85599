import type { RunRecord } from '../../engine/protocol/protocol.ts';
import type { LogEntry } from '../../formats/trainer-state.ts';
import { bestStep } from '../../run/checkpoint/saved-best.ts';

/** A step that can stand for a run's result; undefined for the result itself. */
export interface ResultChoice {
  step: number | undefined;
  label: string;
}

type Choosable = Pick<RunRecord, 'status' | 'step' | 'best' | 'taken' | 'log' | 'checkpoints'>;

/** The steps among which there is a choice: what was taken first, then the run's result, then its other checkpoints. */
export function resultChoices({ status, step, best, taken, log, checkpoints }: Choosable): ResultChoice[] {
  const result = status === 'finished' ? (best?.step ?? step) : undefined;
  const saved = checkpoints.map((checkpoint) => checkpoint.step).filter((saved) => saved > 0);
  const all = [...new Set([...saved, ...(result === undefined ? [] : [result])])].toSorted((a, b) => b - a);
  const lowest = bestStep(all, log as readonly LogEntry[]);
  const choices = all.map((one): ResultChoice => {
    const rank = [one === lowest && 'the best', one === all[0] && 'the last'].filter(Boolean).join(' and ');
    const asides = [one === taken?.step && 'taken', rank].filter(Boolean);
    return { step: one === result ? undefined : one, label: [`step ${one}`, ...asides].join(', ') };
  });
  const rank = (choice: ResultChoice): number =>
    taken && choice.step === taken.step ? 0 : choice.step === undefined ? 1 : 2;
  return choices.toSorted((a, b) => rank(a) - rank(b));
}
