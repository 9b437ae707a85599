import { describe, expect, it } from 'vitest';
import { parseRecipe } from '../../../src/formats/recipe.ts';
import type { TrainingSettings } from '../../../src/formats/recipe/settings.ts';
import { BestModel } from '../../../src/run/checkpoint/best.ts';
import { dueAfter, stepsBetween } from '../../../src/train/cadence.ts';
import { evaluationsWithoutImprovement } from '../../../src/train/early-stopping.ts';
import { learningRate, maxSteps, type Schedule, stepsPerEpoch } from '../../../src/train/schedule.ts';
import golden from '../../fixtures/train/trainer_rules.json' with { type: 'json' };

/** The settings as a recipe's file gives them; the Trainer's other settings are here. */
function settingsOf(run: (typeof golden.runs)[number]): TrainingSettings {
  const usual = {
    num_train_epochs: 1,
    logging_steps: 500,
    eval_steps: 500,
    save_steps: 500,
    save_total_limit: null,
  };
  const text = JSON.stringify({ training: { ...usual, ...run.settings } });
  return parseRecipe(text, 'training_config.yaml').recipe.training;
}

describe.each(golden.schedules.map((s) => [`${s.type} ${JSON.stringify(s.options)}`, s] as const))(
  '%s',
  (_, { rates, ...schedule }) => {
    it('gives the learning rates of transformers', () => {
      rates.forEach((rate, i) => {
        const error = Math.abs(learningRate(i + 1, schedule as Schedule) - rate);
        expect(error).toBeLessThanOrEqual(2 ** -52 * schedule.learningRate);
      });
    });
  },
);

describe.each(golden.runs.map((run) => [JSON.stringify(run.settings), run] as const))('%s', (_, run) => {
  const { grouping, losses } = run;
  const training = settingsOf(run);
  const total = maxSteps(grouping, training.epochs, training.maxSteps);
  const all = Array.from({ length: total }, (_, i) => i + 1);
  const due = (kind: 'logging' | 'eval' | 'save', atEnd: boolean) => {
    const cadence = { strategy: training[`${kind}Strategy`], steps: training[`${kind}Steps`] };
    return dueAfter(cadence, { maxSteps: total, grouping }, { atEnd });
  };
  const { earlyStoppingPatience: patience = Infinity, earlyStoppingThreshold: threshold = 0 } = training;
  const counterAfter = (evaluations: number): number => {
    const seen = Array.from({ length: evaluations }, (_, i) => losses[i % losses.length]!);
    return evaluationsWithoutImprovement(seen, threshold, training.greaterIsBetter);
  };
  const evaluated = all.filter(due('eval', true));
  const last = evaluated.find((_, i) => counterAfter(i + 1) >= patience) ?? total;
  const steps = all.filter((k) => k <= last);
  /** The last step of a run that ends early also ends its epoch. */
  const dueOrOver = (kind: 'logging' | 'save', atEnd: boolean) => {
    const isDue = due(kind, atEnd);
    return (k: number) => isDue(k) || (last < total && k === last && training[`${kind}Strategy`] === 'epoch');
  };
  const isSaveStep = dueOrOver('save', true);

  it('has as many steps, and logs, evaluates and saves after the same', () => {
    expect(total).toBe(run.maxSteps);
    const { loggingSteps, evalSteps, saveSteps } = training;
    expect([loggingSteps, evalSteps, saveSteps].map((s) => stepsBetween({ steps: s }, total))).toEqual(
      run.steps,
    );
    const log = dueOrOver('logging', false);
    expect(steps.filter((k) => log(k) || (k === 1 && training.loggingFirstStep))).toEqual(run.logs);
    expect(steps.filter(due('eval', true))).toEqual(run.evaluations);
    expect(steps.filter(isSaveStep)).toEqual(run.saves.map(({ step }) => step));
    if (training.maxSteps !== undefined) {
      expect(Math.ceil(total / stepsPerEpoch(grouping))).toBe(run.epochs);
    }
    if (patience < Infinity) {
      expect(run.evaluations.map((_, i) => counterAfter(i + 1))).toEqual(run.counters);
    }
  });

  /** Follows the run; `extra`: steps with an additional checkpoint, as a stop leaves them. */
  function follow(extra: readonly number[] = [], restarts: readonly number[] = []) {
    let best = new BestModel(training, isSaveStep);
    let there: number[] = [];
    let evaluations = 0;
    const saves: { step: number; left: number[]; best: object }[] = [];
    for (const step of steps) {
      if (due('eval', true)(step)) {
        best.evaluated(step, losses[evaluations++ % losses.length]!);
      }
      if (isSaveStep(step) || extra.includes(step)) {
        best.saving(step, there);
        there = [...there, step];
        const doomed = best.doomed(there);
        there = there.filter((k) => !doomed.includes(k));
        saves.push({ step, left: there, best: { ...best.state } });
      }
      if (restarts.includes(step)) {
        best = new BestModel(training, isSaveStep, best.state);
      }
    }
    const gone = best.doomedAtEnd(there);
    return { saves, best: best.state, left: there.filter((step) => !gone.includes(step)) };
  }

  it('keeps the same checkpoints, and the same one is the best', () => {
    const { saves, best, left } = follow();
    expect(saves).toEqual(run.saves);
    expect(best).toEqual(run.best);
    expect(left).toEqual(run.left);
  });

  it('ends with the same best one where it was stopped on the way', () => {
    expect(follow(steps, steps).best).toEqual(run.best);
  });
});

it('a checkpoint that could not be written is not the best one', () => {
  const training = settingsOf(golden.runs.find(({ settings }) => settings.load_best_model_at_end)!);
  const best = new BestModel(training, () => true);
  best.evaluated(2, 3);
  const failed = best.saving(2, []);
  expect(best.step).toBe(2);
  failed();
  expect(best.step).toBeUndefined();
  best.evaluated(4, 5);
  best.saving(4, []);
  expect(best.state).toEqual({ best_metric: 3, best_global_step: 2, best_model_checkpoint: null });
});
