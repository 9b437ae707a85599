import {
  RECIPE,
  type RecipeGroup,
  type RecipeSetting,
  type TrainingSettings,
} from '../formats/recipe/settings.ts';
import { stateBits } from '../formats/recipe/training.ts';
import { dueAfter } from '../train/cadence.ts';
import { stepsPerEpoch } from '../train/schedule.ts';
import type { Prepared } from './input/prepare.ts';
import { mostPassTokens } from './plan/pass-size.ts';

/** Evaluating a token costs about a third of training on it: there is no backward pass, and nothing is recomputed. */
const EVALUATION_COST = 1 / 3;

/**
 * What a training speed depends on, by the names that the user knows: texts, which must be equal for a measured speed to
 * hold, and numbers of tokens, which must be about so.
 */
export type SpeedConditions = Readonly<Record<string, string | number>>;

/** Settings of a run that change how many steps it takes and what it learns, but not how long a token takes. */
const TIMELESS: ReadonlySet<string> = new Set([
  'maxTrainSamples',
  'weightDecay',
  'maxGradNorm',
  'adamBeta1',
  'adamBeta2',
  'adamEpsilon',
  // These count by what follows from them for passes, rows and optimizer state.
  'maxLength',
  'batchSize',
  'accumulationSteps',
  'optimizer',
] satisfies (keyof TrainingSettings)[]);
const TIMELESS_GROUPS: ReadonlySet<string> = new Set([
  'Length and pace',
  'Validation',
  'Log and checkpoints',
] satisfies RecipeGroup[]);

/** What of a run's inputs its speed depends on; device and its settings come on top. */
export function speedConditions(prepared: Prepared): SpeedConditions {
  const { model, adapter, train, inputs, longest, windowTokens } = prepared;
  const { training, quantization } = inputs.recipe;
  const modules = adapter.weights.map(({ module }) => module);
  const distinct = <T>(values: readonly T[]) => [...new Set(values)].join(', ');
  return {
    'base model': JSON.stringify([model.config, [...model.kept].toSorted()]),
    'double quantization': shown(quantization.useDoubleQuant),
    rank: distinct(modules.map(({ r }) => r)),
    'set of adapted modules': JSON.stringify(modules.map(({ name, r }) => [name, r])),
    dropout: shown(adapter.config.loraDropout > 0),
    'optimizer state': `${stateBits(training)}-bit`,
    ...Object.fromEntries(
      (Object.entries(RECIPE.training) as [keyof TrainingSettings, RecipeSetting][])
        .filter(([key, { group }]) => !TIMELESS.has(key) && !TIMELESS_GROUPS.has(group))
        .map(([key, { label, usual }]) => [label, shown(training[key] ?? usual)]),
    ),
    'tokens in the longest row': longest,
    'tokens per row': train.stats.tokens / Math.max(1, train.rows.length),
    'tokens per pass': mostPassTokens(longest, windowTokens),
  };
}

const shown = (value: unknown): string =>
  typeof value === 'boolean' ? (value ? 'on' : 'off') : (JSON.stringify(value) ?? 'none');

/** Tokens of the whole run, with evaluation tokens at their fraction of the cost. */
export function workOf({ train, evalRows, grouping, maxSteps, inputs }: Prepared): number {
  const epochs = maxSteps / stepsPerEpoch(grouping);
  const { evalStrategy: strategy, evalSteps: steps } = inputs.recipe.training;
  const due = dueAfter({ strategy, steps }, { maxSteps, grouping }, { atEnd: true });
  const evaluations = Array.from({ length: maxSteps }, (_, i) => due(i + 1)).filter(Boolean).length;
  // What a run starts from is evaluated too.
  const start = strategy === 'no' ? 0 : 1;
  const evalTokens = evalRows.reduce((sum, { ids }) => sum + ids.length, 0);
  return epochs * train.stats.tokens + EVALUATION_COST * (start + evaluations) * evalTokens;
}
