import type { Recipe } from '../formats/recipe.ts';
import type { TrainingSettings } from '../formats/recipe/settings.ts';
import { trainingKeys } from '../formats/recipe/training.ts';

/** Optimizer steps that few rows are trained for, and the most epochs that they are seen for that. */
const STEPS = 40;
const MAX_EPOCHS = 10;
/** Steps of an epoch, where the recipe's own batches do not make more. */
const STEPS_AN_EPOCH = 8;
const WARMUP = 0.1;
/** Rows evaluated at each epoch: so many for each row that is trained, or at least these. */
const EVAL_ROWS = { each: 4, least: 64 } as const;

/** Settings that make sense for many rows only, or for rows to evaluate on. */
const OF_MANY = [
  'maxSteps',
  'valSize',
  'maxTrainSamples',
  'packing',
  'warmupSteps',
  'loggingStrategy',
] as const;
const OF_EVALUATION = [
  'loadBestModelAtEnd',
  'metricForBestModel',
  'greaterIsBetter',
  'earlyStoppingPatience',
  'earlyStoppingThreshold',
  'saveBest',
] as const;

/**
 * The recipe of a version's run for few rows on top of that version: the same rates and optimizer, batches small enough
 * for several steps an epoch, and epochs enough for `rows` rows to be learned. Each epoch is saved and, where there are
 * validation rows, evaluated; the result is the last step.
 */
export function fewRowsRecipe(recipe: Recipe, rows: number, validated: boolean): Recipe {
  const { batchSize, accumulationSteps, epochs, maxEvalSamples = Infinity } = recipe.training;
  const perStep = Math.min(batchSize * accumulationSteps, Math.max(1, Math.round(rows / STEPS_AN_EPOCH)));
  const batch = Math.min(batchSize, perStep);
  const accumulation = Math.max(1, Math.floor(perStep / batch));
  const perEpoch = Math.ceil(Math.ceil(rows / batch) / accumulation);
  const { warmupSteps, warmupRatio } = recipe.training;
  const training: TrainingSettings = {
    ...without(recipe.training, [...OF_MANY, ...OF_EVALUATION]),
    batchSize: batch,
    accumulationSteps: accumulation,
    epochs: Math.max(Math.min(epochs, MAX_EPOCHS), Math.min(MAX_EPOCHS, Math.ceil(STEPS / perEpoch))),
    warmupSteps: 0,
    warmupRatio: warmupSteps > 0 ? WARMUP : warmupRatio,
    loggingSteps: 1,
    saveStrategy: 'epoch',
    evalStrategy: validated ? 'epoch' : 'no',
    ...(validated && {
      saveBest: true,
      maxEvalSamples: Math.min(maxEvalSamples, Math.max(EVAL_ROWS.least, EVAL_ROWS.each * rows)),
    }),
  };
  return { ...recipe, training };
}

/** What differs between two recipes, as their files say it: "num_train_epochs: 10 instead of 2". */
export function recipeChanges(before: Recipe, after: Recipe): string[] {
  const [was, is] = [trainingKeys(before.training), trainingKeys(after.training)];
  return [...new Set([...Object.keys(is), ...Object.keys(was)])].flatMap((key) => {
    const [from, to] = [was[key], is[key]].map((value) => (value === undefined ? 'not set' : String(value)));
    return from === to ? [] : [`${key}: ${to} instead of ${from}`];
  });
}

function without(settings: TrainingSettings, names: readonly (keyof TrainingSettings)[]): TrainingSettings {
  const kept = Object.entries(settings).filter(([name]) => !(names as readonly string[]).includes(name));
  return Object.fromEntries(kept) as unknown as TrainingSettings;
}
