import { showNumber } from '../formats/words.ts';

/** An evaluated step; step 0 is the source itself, before training. */
interface Evaluated {
  readonly step: number;
  readonly loss: number;
}

/** What the eval losses of a finished run say of its result. */
export interface Verdict {
  readonly text: string;
  /** Whether the result is worse than what it came from or than a step on the way. */
  readonly worse: boolean;
}

/** A part of a loss; a smaller difference is no reason to prefer a step to another. */
const NOTICEABLE = 1e-3;

/** Losses that show as the same, or nearly so, are the same. */
const same = (a: number, b: number): boolean =>
  Math.abs(a - b) < NOTICEABLE * Math.abs(b) || showNumber(a) === showNumber(b);

/**
 * One sentence on whether the result is better than its source and whether another step was better still; undefined
 * where the result was not evaluated. `step`: the step of the result. `saved`: the steps of the checkpoints.
 */
export function verdictOf(run: {
  evals: readonly Evaluated[];
  step: number;
  saved: readonly number[];
  /** What they are called: V1 (undefined without one) and V2. */
  names: { source: string | undefined; result: string };
}): Verdict | undefined {
  const { evals, step, saved, names } = run;
  const lossAt = (wanted: number) => evals.findLast((one) => one.step === wanted)?.loss;
  const loss = lossAt(step);
  if (loss === undefined) {
    return undefined;
  }
  const before = lossAt(0);
  const source = names.source ?? 'the base';
  const first =
    before === undefined
      ? `${names.result} has eval loss ${showNumber(loss)}`
      : same(before, loss)
        ? `${names.result} is as good as ${source}: eval loss ${showNumber(loss)}`
        : `${names.result} is ${loss < before ? 'better' : 'worse'} than ${source} by ${showNumber(Math.abs(before - loss))}: eval loss ${showNumber(loss)} after ${showNumber(before)}`;
  const best = evals
    .filter((one) => one.step > 0 && one.step !== step && lossAt(one.step) === one.loss)
    .reduce<Evaluated | undefined>((low, one) => (low && low.loss <= one.loss ? low : one), undefined);
  const missed = best !== undefined && best.loss < loss && !same(best.loss, loss);
  const still = before === undefined || loss < before ? 'better still' : 'better';
  const kept =
    best && saved.includes(best.step)
      ? 'its checkpoint is kept'
      : 'it was not kept; “Keep the best” in the recipe (load_best_model_at_end) keeps and takes it';
  return {
    text: missed
      ? `${first}; step ${best.step} was ${before === undefined ? 'better' : still}, by ${showNumber(loss - best.loss)}: ${kept}.`
      : `${first}.`,
    worse: missed || (before !== undefined && before < loss && !same(before, loss)),
  };
}
