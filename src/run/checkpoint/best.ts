import type { TrainingSettings } from '../../formats/recipe/settings.ts';
import type { TrainerState } from '../../formats/trainer-state.ts';

/** The keys of trainer_state.json that tell which checkpoint is the best. */
export type BestState = Pick<TrainerState, 'best_metric' | 'best_global_step' | 'best_model_checkpoint'>;

const NONE: BestState = { best_metric: null, best_global_step: null, best_model_checkpoint: null };

/** A checkpoint's name in trainer_state.json: the folder beside it. */
const nameOf = (step: number): string => `checkpoint-${step}`;

/**
 * Which step had the best eval_loss, and which checkpoint holds it, by the rules of transformers' Trainer
 * (_determine_best_metric, _save_checkpoint and rotate_checkpoints in trainer.py and trainer_utils.py, 5.24).
 */
export class BestModel {
  readonly #tracked: boolean;
  readonly #greater: boolean;
  readonly #limit: number;
  readonly #keepsSteps: boolean;
  readonly #isSaveStep: (step: number) => boolean;
  #state: BestState;

  /** `from`: where an earlier start of the run stood. `isSaveStep`: the steps that leave a checkpoint by the recipe. */
  constructor(training: TrainingSettings, isSaveStep: (step: number) => boolean, from: BestState = NONE) {
    this.#tracked = training.loadBestModelAtEnd === true || training.metricForBestModel !== undefined;
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

  /** The step of the checkpoint that is the best. */
  get step(): number | undefined {
    const { best_model_checkpoint: name } = this.#state;
    return name === null ? undefined : Number(name.slice(nameOf(0).length - 1));
  }

  /** An evaluation after `step` gave this loss. */
  evaluated(step: number, loss: number): void {
    const { best_metric: best } = this.#state;
    const better = best === null || (this.#greater ? loss > best : loss < best);
    if (!this.#tracked || !better) return;
    this.#state = {
      ...this.#state,
      best_metric: loss,
      ...(this.#keepsSteps && { best_global_step: step }),
    };
  }

  /**
   * The checkpoint of `step` is about to be written beside those of `saved`: from it on, the best one is the one of the
   * best step, where there is one. Gives what to call where the writing fails.
   */
  saving(step: number, saved: readonly number[]): () => void {
    const before = this.#state;
    const { best_global_step: best } = before;
    // A run that was stopped has checkpoints at other steps too; they must not make another run of it.
    if (best !== null && this.#isSaveStep(step) && this.#isSaveStep(best) && [...saved, step].includes(best))
      this.#state = { ...before, best_model_checkpoint: nameOf(best) };
    return () => {
      this.#state = before;
    };
  }

  /** Which of these checkpoints, ascending, go: the oldest beyond the limit, but never the last nor the best one. */
  doomed(steps: readonly number[]): number[] {
    if (this.#limit === 0) return [];
    const kept = new Set([steps.at(-1), this.step].filter((step) => step !== undefined));
    const excess = steps.length - Math.max(this.#limit, kept.size);
    return steps.filter((step) => !kept.has(step)).slice(0, Math.max(0, excess));
  }

  /** Which of these checkpoints go once the run is finished: with a limit of one, all but the best. */
  doomedAtEnd(steps: readonly number[]): number[] {
    const best = this.step;
    return best === undefined || this.#limit !== 1 ? [] : steps.filter((step) => step !== best);
  }
}
