import { expect, it } from 'vitest';
import { fewRowsRecipe, recipeChanges } from '../../../src/corrections/few-rows-recipe.ts';
import { defaultRecipe, type Recipe, recipeProblem } from '../../../src/formats/recipe.ts';
import type { TrainingSettings } from '../../../src/formats/recipe/settings.ts';

const recipe = (training: Partial<TrainingSettings>): Recipe => {
  const usual = defaultRecipe();
  return { ...usual, training: { ...usual.training, ...training } };
};
const stepsOf = ({ training }: Recipe, rows: number): number =>
  training.epochs * Math.ceil(Math.ceil(rows / training.batchSize) / training.accumulationSteps);

it.each([1, 2, 7, 24, 48, 100, 500])(
  'gives %i rows steps enough, and few epochs where they are many',
  (rows) => {
    const few = fewRowsRecipe(recipe({}), rows, false);
    expect(recipeProblem(few)).toBeUndefined();
    expect(few.training.epochs).toBeLessThanOrEqual(10);
    const steps = stepsOf(few, rows);
    expect(steps).toBeGreaterThanOrEqual(rows < 4 ? 10 * rows : 40);
    expect(few.training.learningRate).toBe(defaultRecipe().training.learningRate);
  },
);

it('leaves out what is for many rows, and what evaluates where there is nothing to evaluate on', () => {
  const before = recipe({
    ...{ maxSteps: 500, valSize: 0.1, maxTrainSamples: 90, packing: true, warmupSteps: 100 },
    ...{ loadBestModelAtEnd: true, earlyStoppingPatience: 3, saveBest: true, batchSize: 4 },
  });
  const few = fewRowsRecipe(before, 24, false);
  expect(recipeProblem(few)).toBeUndefined();
  expect(recipeChanges(before, few)).toEqual([
    'num_train_epochs: 5 instead of 2',
    'per_device_train_batch_size: 3 instead of 4',
    'gradient_accumulation_steps: 1 instead of 16',
    'warmup_ratio: 0.1 instead of 0',
    'warmup_steps: 0 instead of 100',
    'logging_steps: 1 instead of 10',
    'save_strategy: epoch instead of not set',
    'eval_strategy: no instead of not set',
    'max_steps: not set instead of 500',
    'val_size: not set instead of 0.1',
    'max_train_samples: not set instead of 90',
    'load_best_model_at_end: not set instead of true',
    'packing: not set instead of true',
    'save_best: not set instead of true',
    'early_stopping_patience: not set instead of 3',
  ]);
  const evaluated = fewRowsRecipe(before, 24, true);
  expect(recipeProblem(evaluated)).toBeUndefined();
  expect(evaluated.training).toMatchObject({ evalStrategy: 'epoch', saveBest: true, maxEvalSamples: 96 });
});
