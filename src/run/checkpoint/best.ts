import type { TrainingSettings } from '../../formats/recipe/settings.ts';
import { tracksBest } from '../../formats/recipe/training.ts';
import type { TrainerState } from '../../formats/trainer-state.ts';

/** The keys of trainer_state.json that identify the best checkpoint. */
export type BestState = Pick<TrainerState, 'best_metric' | 'best_global_step' | 'best_model_checkpoint'>;

const NONE: BestState = { best_metric: null, best_global_step: null, best_model_checkpoint: null };

/** A checkpoint's name in trainer_state.json: the folder beside it. */
const nameOf = (step: number): string => `checkpoint-${step}`;

/**
 * The step with the best eval_loss and the checkpoint that holds it, by the rules of transformers' Trainer.
 *
 * References: transformers 5.24, src/transformers/trainer.py (_determine_best_metric, _save_checkpoint) and
 * trainer_utils.py (rotate_checkpoints).
 */
export class BestModel {
  readonly #tracked: boolean;
  readonly #greater: boolean;
  readonly #limit: number;
  readonly #keepsSteps: boolean;
  readonly #isSaveStep: (step: number) => boolean;
  #state: BestState;

  /**
   * `from`: the state of an earlier start of the run. `isSaveStep`: the steps at which the recipe saves a
   * checkpoint.
   */
  constructor(training: TrainingSettings, isSaveStep: (step: number) => boolean, from: BestState = NONE) {
    this.#tracked = tracksBest(training);
    this.#greater = training.greaterIsBetter === true;
    this.#limit = training.saveTotalLimit;
    this.#keepsSteps = training.saveStrategy !== 'no';
    this.#isSaveStep = isSaveStep;
    const { best_metric, best_global_step, best_model_checkpoint } = from;
    this.#state = { best_metric, best_global_step, best_model_checkpoint };
  }

  get state(): BestState {
    return this.#state;
  }

  /** The step of the best checkpoint. */
  get step(): number | undefined {
    const { best_model_checkpoint: name } = this.#state;
    return name === null ? undefined : Number(name.slice(nameOf(0).length - 1));
  }

  /** Records the loss of an evaluation after `step`. */
  evaluated(step: number, loss: number): void {
    const { best_metric: best } = this.#state;
    const better = best === null || (this.#greater ? loss > best : loss < best);
    if (!this.#tracked || !better) {
      return;
    }
    this.#state = {
      ...this.#state,
      best_metric: loss,
      ...(this.#keepsSteps && { best_global_step: step }),
    };
  }

  /**
   * Called before the checkpoint of `step` is written beside those of `saved`: from then on, the best checkpoint is
   * that of the best step, if it has one. Returns a function that undoes this if writing fails.
   */
  saving(step: number, saved: readonly number[]): () => void {
    const before = this.#state;
    const { best_global_step: best } = before;
    // A run that was stopped has checkpoints at other steps too; these must not change the outcome.
    if (
      best !== null &&
      this.#isSaveStep(step) &&
      this.#isSaveStep(best) &&
      [...saved, step].includes(best)
    ) {
      this.#state = { ...before, best_model_checkpoint: nameOf(best) };
    }
    return () => {
      this.#state = before;
    };
  }

  /**
   * The checkpoints to remove, given in ascending order: the oldest beyond the limit, but never the last or the
   * best.
   */
  doomed(steps: readonly number[]): number[] {
    if (this.#limit === 0) {
      return [];
    }
    const kept = new Set([steps.at(-1), this.step].filter((step) => step !== undefined));
    const excess = steps.length - Math.max(this.#limit, kept.size);
    return steps.filter((step) => !kept.has(step)).slice(0, Math.max(0, excess));
  }

  /** The checkpoints to remove once the run is finished: with a limit of one, all but the best. */
  doomedAtEnd(steps: readonly number[]): number[] {
    const best = this.step;
    return best === undefined || this.#limit !== 1 ? [] : steps.filter((step) => step !== best);
  }
}
