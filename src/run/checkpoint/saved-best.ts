import type { TrainingSettings } from '../../formats/recipe/settings.ts';
import type { LogEntry } from '../../formats/trainer-state.ts';

/** Whether something is due after a step. */
type Due = (step: number) => boolean;

/** The eval_loss of a step; undefined if it was not evaluated. */
export const evalLossAt = (history: readonly LogEntry[], step: number): number | undefined =>
  history.findLast((entry) => entry.step === step && entry.eval_loss !== undefined)?.eval_loss;

/** Of these steps the one with the lowest eval_loss, of equal ones the first; undefined if none was evaluated. */
export function bestStep(steps: readonly number[], history: readonly LogEntry[]): number | undefined {
  let best: { step: number; loss: number } | undefined;
  for (const step of steps) {
    const loss = evalLossAt(history, step);
    if (step > 0 && loss !== undefined && (!best || loss < best.loss)) {
      best = { step, loss };
    }
  }
  return best?.step;
}

/** Whether a recipe has a better evaluation save a checkpoint. */
export const savesBest = ({ saveBest, loadBestModelAtEnd, saveStrategy }: TrainingSettings): boolean =>
  saveBest === true && !loadBestModelAtEnd && saveStrategy !== 'no';

/**
 * `save_best`: beside the checkpoints that the recipe saves, one of the step with the lowest eval_loss so far. It goes
 * by the log and by what is stored, so that trainer_state.json stays as transformers writes it.
 */
export class SavedBest {
  readonly #on: boolean;
  /** A checkpoint that is there only because it was the best. */
  readonly #isExtra: Due;

  constructor(training: TrainingSettings, due: Readonly<Record<'evaluation' | 'checkpoint', Due>>) {
    this.#on = savesBest(training);
    this.#isExtra = (step) => due.evaluation(step) && !due.checkpoint(step);
  }

  /** Whether a step that was just evaluated is better than those of `saved`, so that it is worth a checkpoint. */
  beats(step: number, saved: readonly number[], history: readonly LogEntry[]): boolean {
    return this.#on && bestStep([...saved.filter((one) => one < step), step], history) === step;
  }

  /**
   * The checkpoints to remove, given in ascending order: those that `limit` would without this, and those that are no
   * longer the best, but never the last or the best.
   */
  doomed(
    steps: readonly number[],
    history: readonly LogEntry[],
    limit: (steps: readonly number[]) => number[],
  ): number[] {
    if (!this.#on) {
      return limit(steps);
    }
    const kept = [steps.at(-1), bestStep(steps, history)];
    const regular = steps.filter((step) => !this.#isExtra(step));
    const outdated = steps.filter((step) => this.#isExtra(step));
    return [...limit(regular), ...outdated].filter((step) => !kept.includes(step));
  }
}
