import { nestedKeys, readNested } from './recipe/nested.ts';
import type { Recipe } from './recipe/recipe.ts';
import { UserError } from './user-error.ts';
import { parseYaml, writeYaml } from './yaml.ts';

export type { Recipe } from './recipe/recipe.ts';

/** What a file gave: the recipe, and a sentence for whatever in it has no effect. */
export interface ParsedRecipe {
  readonly recipe: Recipe;
  readonly warnings: readonly string[];
}

/** Reads training_config.yaml. Throws UserError naming the file and the key or line. */
export function parseRecipe(text: string, file: string): ParsedRecipe {
  return readNested(parseYaml(text, file) ?? {}, file);
}

/**
 * Reads a recipe that Retune wrote, in this version or an earlier one: whatever had no effect when it was written is
 * kept, and refused no more than it was then. Throws UserError.
 */
export function parseOwnRecipe(text: string, file: string): Recipe {
  return readNested(parseYaml(text, file) ?? {}, file, { own: true }).recipe;
}

/** The recipe's own values, as an empty file would give them. */
export function defaultRecipe(): Recipe {
  return parseRecipe('', 'training_config.yaml').recipe;
}

/** What a file with this recipe would be refused for: settings that do not go together. */
export function recipeProblem(recipe: Recipe): string | undefined {
  try {
    parseRecipe(recipeToYaml({ ...recipe, rest: {} }), 'Recipe');
    return undefined;
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
}

/** A training_config.yaml that `parseRecipe` reads back to the same recipe, keys without an effect included. */
export function recipeToYaml(recipe: Recipe): string {
  return writeYaml(nestedKeys(recipe));
}
