import { describe, expect, it } from 'vitest';
import { defaultRecipe, recipeWithoutFile } from '../../../src/formats/recipe.ts';
import type { TrainingSettings } from '../../../src/formats/recipe/settings.ts';
import type { LogEntry } from '../../../src/formats/trainer-state.ts';
import { BestModel } from '../../../src/run/checkpoint/best.ts';
import { bestStep, SavedBest, savesBest } from '../../../src/run/checkpoint/saved-best.ts';

const LOSSES = [5, 3, 2, 2.5, 4, 1.9, 6, 7, 8, 9];

/** The checkpoints after each of ten steps with an evaluation each. */
function follow(
  settings: Partial<Record<keyof TrainingSettings, unknown>>,
  saveEvery: number,
  losses: readonly number[] = LOSSES,
) {
  const training = { ...recipeWithoutFile().training, ...settings } as TrainingSettings;
  const isSaveStep = (step: number) => step % saveEvery === 0 || step === losses.length;
  const best = new BestModel(training, isSaveStep);
  const saved = new SavedBest(training, { evaluation: () => true, checkpoint: isSaveStep });
  const history: LogEntry[] = [];
  let there: number[] = [];
  return losses.map((loss, i) => {
    const step = i + 1;
    history.push({ step, epoch: step / 10, eval_loss: loss });
    best.evaluated(step, loss);
    if (isSaveStep(step) || saved.beats(step, there, history)) {
      best.saving(step, there);
      there = [...there, step];
      const doomed = saved.doomed(there, history, (steps) => best.doomed(steps));
      there = there.filter((one) => !doomed.includes(one));
    }
    return there.join(' ');
  });
}

describe('the best checkpoint', () => {
  it('is saved when it is measured, and kept beside the limit', () => {
    expect(follow({ saveTotalLimit: 1 }, 4)).toEqual([
      ...['1', '2', '3', '3 4', '3 4'],
      ...['4 6', '4 6', '6 8', '6 8', '6 10'],
    ]);
    expect(follow({ saveTotalLimit: 2 }, 2).at(-1)).toBe('6 8 10');
  });

  it('leaves all checkpoints of the recipe where there is no limit, and no other one', () => {
    expect(follow({ saveTotalLimit: 0 }, 4).at(-1)).toBe('4 6 8 10');
  });

  it.each([{ saveBest: undefined }, { loadBestModelAtEnd: true as const }])(
    '%j: only what transformers saves',
    (settings) => {
      expect(follow({ saveTotalLimit: 1, ...settings }, 5)[2]).toBe('');
      expect(follow({ saveTotalLimit: 0, ...settings }, 5).at(-1)).toBe('5 10');
    },
  );

  it('is not looked for where the recipe saves no checkpoint', () => {
    expect(savesBest({ ...recipeWithoutFile().training, saveStrategy: 'no' })).toBe(false);
    expect(savesBest(recipeWithoutFile().training)).toBe(true);
  });

  it('is that of the lowest last evaluation, of equal ones the first', () => {
    const at = (step: number, eval_loss: number): LogEntry => ({ step, epoch: 0, eval_loss });
    const history = [
      at(0, 0.1),
      at(2, 0.5),
      at(4, 0.4),
      at(4, 0.9),
      at(6, 0.5),
      { step: 8, epoch: 1, loss: 0 },
    ];
    expect(bestStep([0, 2, 4, 6, 8], history)).toBe(2);
    expect(bestStep([8], history)).toBeUndefined();
  });

  it('is kept without a recipe’s file; a file is met as transformers would', () => {
    expect(savesBest(defaultRecipe().training)).toBe(false);
  });

  it('is saved again where an earlier one could not be', () => {
    const { training } = recipeWithoutFile();
    const saved = new SavedBest(training, { evaluation: () => true, checkpoint: () => false });
    const history = [1, 2, 3].map((step) => ({ step, epoch: 0, eval_loss: [0.9, 0.5, 0.7][step - 1]! }));
    expect(saved.beats(3, [1], history)).toBe(true);
    expect(saved.beats(3, [1, 2], history)).toBe(false);
  });
});
