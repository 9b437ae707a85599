import type { Recipe } from '../../formats/recipe.ts';
import {
  RECIPE,
  RECIPE_GROUPS,
  type RecipeSection,
  type RecipeSetting,
  SEED,
} from '../../formats/recipe/settings.ts';
import { UserError } from '../../formats/user-error.ts';
import { settingText, settingValue } from '../shared/setting-text.ts';

/** One setting of the recipe, as the page shows it. */
export type RecipeField = RecipeSetting & {
  read(recipe: Recipe): unknown;
  write(recipe: Recipe, value: unknown): Recipe;
};

/** Every setting of the recipe, in the order in which the page shows them. */
export const RECIPE_FIELDS: readonly RecipeField[] = inGroups([
  ...(Object.keys(RECIPE) as RecipeSection[]).flatMap((section) => fieldsOf(section)),
  { ...SEED, read: ({ seed }) => seed, write: (recipe, seed) => ({ ...recipe, seed: seed as number }) },
]);

function inGroups(fields: readonly RecipeField[]): RecipeField[] {
  return RECIPE_GROUPS.flatMap((group) => fields.filter((field) => field.group === group));
}

function fieldsOf(section: RecipeSection): RecipeField[] {
  const table: Readonly<Record<string, RecipeSetting>> = RECIPE[section];
  return Object.entries(table).map(([property, setting]) => ({
    ...setting,
    read: (recipe) => (recipe[section] as Readonly<Record<string, unknown>>)[property] ?? setting.usual,
    write: (recipe, value) => {
      const all = Object.entries({ ...recipe[section], [property]: value });
      const unusual = all.filter(([name]) => name !== property || value !== setting.usual);
      return { ...recipe, [section]: Object.fromEntries(unusual) };
    },
  }));
}

/** The recipe with other values, by their keys. */
export const withSettings = (recipe: Recipe, settings: Readonly<Record<string, unknown>>): Recipe =>
  RECIPE_FIELDS.reduce(
    (changed, field) =>
      Object.hasOwn(settings, field.key) ? field.write(changed, settings[field.key]) : changed,
    recipe,
  );

/** A field's value as its input shows it. */
export const fieldText = (field: RecipeField, recipe: Recipe): string =>
  settingText(field, field.read(recipe));

/** The recipe with `text` in a field, or the sentence that says why it cannot be. */
export function setField(
  field: RecipeField,
  recipe: Recipe,
  text: string,
): { recipe: Recipe } | { problem: string } {
  try {
    return { recipe: field.write(recipe, settingValue(field, text)) };
  } catch (error) {
    if (error instanceof UserError) {
      return { problem: error.message };
    }
    throw error;
  }
}
