import type { Recipe } from '../../formats/recipe.ts';
import { SUGGESTED_SHARE, suggestedRows } from '../../run/input/suggested-hold-out.ts';
import type { AppState } from '../shared/app-state.ts';

/**
 * How many of the new rows can be held out to validate on, before duplicates are counted; 0 if they are too few.
 * Undefined where the recipe or a file of validation rows says what to validate on, and where nothing is chosen.
 */
export function rowsToHoldOut({ recipe, slots }: Pick<AppState, 'recipe' | 'slots'>): number | undefined {
  const { train, validation } = slots;
  const { valSize, evalStrategy, maxTrainSamples = Infinity } = recipe?.training ?? {};
  if (!train.answer?.ok || validation.chosen || valSize !== undefined || evalStrategy === 'no') {
    return undefined;
  }
  const rows = Math.min(train.answer.value.rows, maxTrainSamples);
  return suggestedRows(rows);
}

/** The recipe of the run as chosen: with `val_size` where rows are held out. */
export function recipeOfRun(state: Pick<AppState, 'recipe' | 'slots' | 'holdOut'>): Recipe | undefined {
  const { recipe, holdOut } = state;
  if (!recipe || !holdOut || !rowsToHoldOut(state)) {
    return recipe;
  }
  return { ...recipe, training: { ...recipe.training, valSize: SUGGESTED_SHARE } };
}
