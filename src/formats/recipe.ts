import { isRecord } from './fields.ts';
import { nestedKeys, readNested } from './recipe/nested.ts';
import type { Recipe } from './recipe/recipe.ts';
import { recognize } from './recipe/recognize.ts';
import { readForeign, type RecipeReading } from './recipe/tool.ts';
import { UserError } from './user-error.ts';
import { parseYaml, writeYaml } from './yaml.ts';

export type { Recipe } from './recipe/recipe.ts';
export { readingLines, type RecipeReading } from './recipe/tool.ts';

/** What a file gave: the recipe, and a sentence for whatever in it has no effect. */
export interface ParsedRecipe {
  readonly recipe: Recipe;
  readonly warnings: readonly string[];
  /** What was read of another tool's file. */
  readonly reading?: RecipeReading;
}

/**
 * Reads training_config.yaml, or a recipe of LLaMA-Factory, axolotl, TRL or transformers, YAML or JSON. Throws UserError
 * naming the file and the key or line.
 */
export function parseRecipe(text: string, file: string): ParsedRecipe {
  const values = parseYaml(text, file) ?? {};
  const tool = isRecord(values) ? recognize(values, file) : undefined;
  return tool && isRecord(values) ? readForeign(tool, values, file) : readNested(values, file);
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

/** The recipe of a run for which no file was given: the default one, and it keeps its best checkpoint. */
export function recipeWithoutFile(): Recipe {
  const recipe = defaultRecipe();
  return { ...recipe, training: { ...recipe.training, saveBest: true } };
}

/** What a file with this recipe would be refused for: settings that do not go together. */
export function recipeProblem(recipe: Recipe): string | undefined {
  try {
    parseRecipe(recipeToYaml({ ...recipe, rest: {} }), 'Recipe');
    return undefined;
  } catch (error) {
    if (error instanceof UserError) {
      return error.message;
    }
    throw error;
  }
}

/** A training_config.yaml that `parseRecipe` reads back to the same recipe, keys without an effect included. */
export function recipeToYaml(recipe: Recipe): string {
  return writeYaml(nestedKeys(recipe));
}
