import { type Recipe, recipeProblem } from '../../formats/recipe.ts';
import type { AppState } from '../shared/app-state.ts';
import { recipeOfRun } from './held-out.ts';
import { RECIPE_FIELDS } from './recipe-fields.ts';

/** Why the recipe and the chosen files do not fit together, and the setting that it stands at. */
export interface Conflict {
  sentence: string;
  key: string | undefined;
}

export function conflict(state: Pick<AppState, 'recipe' | 'slots' | 'holdOut'>): Conflict | undefined {
  const recipe = recipeOfRun(state);
  if (!recipe) {
    return undefined;
  }
  const { valSize, loadBestModelAtEnd } = recipe.training;
  const validated = state.slots.validation.chosen !== undefined;
  if (valSize !== undefined && validated) {
    return {
      key: 'val_size',
      sentence: 'Rows held back and the validation file both say what to validate on; leave one of them out.',
    };
  }
  if (loadBestModelAtEnd && valSize === undefined && !validated) {
    return {
      key: 'load_best_model_at_end',
      sentence:
        'To keep the best there must be something to validate on: choose validation rows, or hold rows back.',
    };
  }
  const { recipe: own = recipe } = state;
  if (!problems.has(own)) {
    problems.set(own, recipeProblem(own));
  }
  const sentence = problems.get(own);
  return sentence === undefined ? undefined : { sentence, key: firstKey(sentence) };
}

/** What was found of each recipe: the page asks at every step of a run. */
const problems = new WeakMap<Recipe, string | undefined>();

/** The setting that a sentence names first: what it is about. */
function firstKey(sentence: string): string | undefined {
  const words = sentence.match(/\w+/g) ?? [];
  return words.find((word) => RECIPE_FIELDS.some(({ key }) => key === word));
}
