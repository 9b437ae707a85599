// Reference: transformers 5.24, src/transformers/training_args.py.
import type { Recipe } from '../formats/recipe.ts';
import { RECIPE, type RecipeSetting } from '../formats/recipe/settings.ts';
import { settingKeys } from '../formats/setting.ts';

/** What transformers does otherwise where nothing is said; a recipe's usual values are left out of it. */
const STRATEGIES = { logging_strategy: 'steps', save_strategy: 'steps', eval_strategy: 'steps' } as const;

/**
 * The recipe as transformers' TrainingArguments, by their names. What of the recipe they do not know has had its effect
 * on the rows already. Without rows to evaluate on, nothing is evaluated.
 */
export function trainingArguments(
  { training, seed }: Pick<Recipe, 'training' | 'seed'>,
  evaluates: boolean,
): Record<string, unknown> {
  const settings: readonly RecipeSetting[] = Object.values(RECIPE.training);
  const own = new Set(settings.filter((setting) => setting.own).map(({ key }) => key));
  const keys = Object.entries(settingKeys(RECIPE.training, training)).filter(([key]) => !own.has(key));
  const { warmup_ratio: ratio, warmup_steps: steps, ...others } = Object.fromEntries(keys);
  return {
    ...STRATEGIES,
    ...others,
    // Since transformers 5 one argument is both: below 1 a share.
    warmup_steps: (steps as number) > 0 ? steps : ratio,
    ...(training.saveTotalLimit === 0 && { save_total_limit: null }),
    ...(!evaluates && { eval_strategy: 'no', eval_on_start: false }),
    seed,
  };
}
