import type { Recipe } from '../../formats/recipe.ts';
import type { AppState } from '../shared/app-state.ts';

/** The share of the new rows that is held out where there are none to validate on. */
export const HELD_OUT_SHARE = 0.05;
/** With fewer, one row would be more than that share, and say little. */
const MIN_ROWS = Math.round(1 / HELD_OUT_SHARE);

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
  return rows < MIN_ROWS ? 0 : Math.ceil(HELD_OUT_SHARE * rows);
}

/** The recipe of the run as chosen: with `val_size` where rows are held out. */
export function recipeOfRun(state: Pick<AppState, 'recipe' | 'slots' | 'holdOut'>): Recipe | undefined {
  const { recipe, holdOut } = state;
  if (!recipe || !holdOut || !rowsToHoldOut(state)) {
    return recipe;
  }
  return { ...recipe, training: { ...recipe.training, valSize: HELD_OUT_SHARE } };
}
