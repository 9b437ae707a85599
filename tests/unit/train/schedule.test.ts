import { describe, expect, test } from 'vitest';
import {
  epochOf,
  learningRate,
  maxSteps,
  type SchedulerType,
  stepsPerEpoch,
  warmupSteps,
} from '../../../src/train/schedule.ts';
import { stepWindows } from '../../../src/train/window.ts';
import golden from '../../fixtures/train/schedule.json' with { type: 'json' };

describe.each(golden.runs)(
  '$rows rows, batch $batch, accumulation $accumulation, $epochs epochs, $type, warmup $warmup',
  (run) => {
    const total = maxSteps(run, run.epochs);
    const steps = Array.from({ length: total }, (_, i) => i + 1);

    test('the number of steps and the epochs are the Trainer’s', () => {
      expect(total).toBe(run.maxSteps);
      expect(steps.map((k) => epochOf(k, run))).toEqual(run.epochsLogged);
    });

    test('the learning rates are the Trainer’s', () => {
      const schedule = {
        type: run.type as SchedulerType,
        learningRate: run.learningRate,
        maxSteps: total,
        warmupSteps: warmupSteps(total, { warmupSteps: run.warmup }),
      };
      steps.forEach((k, i) => {
        const error = Math.abs(learningRate(k, schedule) - run.rates[i]!);
        expect(error).toBeLessThanOrEqual(2 ** -52 * run.learningRate);
      });
    });

    test('every step sees the rows that the Trainer feeds', () => {
      const windowOf = stepWindows(run, run.seed);
      expect(steps.map((k) => windowOf(k).rows)).toEqual(run.windows);
      const last = windowOf(total);
      expect(last.epoch).toBe(Math.ceil(total / stepsPerEpoch(run)) - 1);
    });
  },
);

test('windows may be asked for in any order', () => {
  const windowOf = stepWindows({ rows: 9, batch: 2, accumulation: 2 }, 4);
  const forward = [1, 2, 3, 4, 5, 6].map((k) => windowOf(k));
  const again = [6, 1, 4, 2, 5, 3].map((k) => windowOf(k));
  expect(again).toEqual([6, 1, 4, 2, 5, 3].map((k) => forward[k - 1]));
  expect(forward.map((w) => w.rows.flat().length)).toEqual([4, 4, 1, 4, 4, 1]);
});

test('warmup_steps wins over warmup_ratio, and below 1 is a ratio', () => {
  expect(warmupSteps(8, { warmupRatio: 0.1 })).toBe(1);
  expect(warmupSteps(8, { warmupSteps: 3, warmupRatio: 0.5 })).toBe(3);
  expect(warmupSteps(8, { warmupSteps: 0, warmupRatio: 0.5 })).toBe(4);
  expect(warmupSteps(100, { warmupSteps: 0.031 })).toBe(4);
  expect(warmupSteps(100, {})).toBe(0);
});

test('the reference run’s epochs: 53 rows, accumulation 16', () => {
  const grouping = { rows: 53, batch: 1, accumulation: 16 };
  expect(epochOf(1, grouping)).toBe(0.3018867924528302);
  expect(epochOf(4, grouping)).toBe(1);
  expect(epochOf(5, grouping)).toBe(1.3018867924528301);
});
