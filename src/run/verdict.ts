import { showNumber } from '../formats/words.ts';

/** An evaluated step; step 0 is the source itself, before training. */
interface Evaluated {
  readonly step: number;
  readonly loss: number;
}

interface JudgedRun {
  evals: readonly Evaluated[];
  /** The steps of the checkpoints. */
  saved: readonly number[];
  /** What they are called: V1 (undefined without one) and V2. */
  names: { source: string | undefined; result: string };
}

/** What the eval losses of a run say of its result. */
export interface Verdict {
  readonly text: string;
  /** Whether the result is worse than what it came from or than a step on the way. */
  readonly worse: boolean;
  /** The step of the checkpoint that is worth taking instead. */
  readonly take?: number | undefined;
}

/** A part of a loss; a smaller difference is no reason to prefer a step to another. */
const NOTICEABLE = 1e-3;

/** Losses that show as the same, or nearly so, are the same. */
const same = (a: number, b: number): boolean =>
  Math.abs(a - b) < NOTICEABLE * Math.abs(b) || showNumber(a) === showNumber(b);

/** The last evaluation of each step: a run that resumed evaluates some again. */
function lastOfEach(evals: readonly Evaluated[]): Evaluated[] {
  return [...new Map(evals.map((one) => [one.step, one])).values()];
}

const lowest = (evals: readonly Evaluated[]): Evaluated | undefined =>
  evals.reduce<Evaluated | undefined>((low, one) => (low && low.loss <= one.loss ? low : one), undefined);

/** "better than V1 by 0.2100"; undefined where V1 was not evaluated. */
function comparedTo(source: string | undefined, before: number | undefined, loss: number) {
  if (before === undefined) {
    return undefined;
  }
  const name = source ?? 'the base';
  return same(before, loss)
    ? `as good as ${name}`
    : `${loss < before ? 'better' : 'worse'} than ${name} by ${showNumber(Math.abs(before - loss))}`;
}

/**
 * One sentence on whether a finished run's result is better than its source and whether another step was better still;
 * undefined where the result was not evaluated. `step`: the step of the result.
 */
export function verdictOf({ step, ...run }: JudgedRun & { step: number }): Verdict | undefined {
  const { saved, names } = run;
  const evals = lastOfEach(run.evals);
  const lossAt = (wanted: number) => evals.find((one) => one.step === wanted)?.loss;
  const loss = lossAt(step);
  if (loss === undefined) {
    return undefined;
  }
  const before = lossAt(0);
  const compared = comparedTo(names.source, before, loss);
  const after = before === undefined || same(before, loss) ? '' : ` after ${showNumber(before)}`;
  const shown = showNumber(loss);
  const first = compared
    ? `${names.result} is ${compared}: eval loss ${shown}${after}`
    : `${names.result} has eval loss ${shown}`;
  const best = lowest(evals.filter((one) => one.step > 0 && one.step !== step));
  if (best === undefined || best.loss >= loss || same(best.loss, loss)) {
    return { text: `${first}.`, worse: before !== undefined && before < loss && !same(before, loss) };
  }
  const still = before !== undefined && loss < before ? 'better still' : 'better';
  const text = `${first}; step ${best.step} was ${still}, by ${showNumber(loss - best.loss)}`;
  return saved.includes(best.step)
    ? { text: `${text}: take it?`, worse: true, take: best.step }
    : {
        text: `${text}, and was not kept; “Keep the best checkpoint” in the recipe (save_best) keeps it.`,
        worse: true,
      };
}

/** The same of a run that was stopped: which of its checkpoints is the best, if any was evaluated. */
export function stoppedVerdict({ evals, saved, names }: JudgedRun): Verdict | undefined {
  const each = lastOfEach(evals);
  const best = lowest(each.filter((one) => one.step > 0 && saved.includes(one.step)));
  if (best === undefined) {
    return undefined;
  }
  const before = each.find((one) => one.step === 0)?.loss;
  const compared = comparedTo(names.source, before, best.loss);
  const worse = before !== undefined && before < best.loss && !same(before, best.loss);
  const what = `Of the checkpoints, that of step ${best.step} is the best, with eval loss ${showNumber(best.loss)}`;
  return {
    text: `${what}${compared ? `, ${compared}` : ''}: take it?`,
    worse,
    take: best.step,
  };
}
