import type { NumberRule } from '../../formats/fields.ts';
import type { Recipe } from '../../formats/recipe.ts';

export const RECIPE_GROUPS = [
  'Length and pace',
  'Batches',
  'Optimizer',
  'Validation',
  'Log and checkpoints',
  'Base',
  'New adapter',
] as const;
export type RecipeGroup = (typeof RECIPE_GROUPS)[number];

/** One setting of the recipe, as the page shows it. Rules are those of the recipe file; a test holds them together. */
export interface RecipeField {
  /** The key in training_config.yaml. */
  key: string;
  group: RecipeGroup;
  label: string;
  hint: string;
  kind: FieldKind;
  read(recipe: Recipe): unknown;
  write(recipe: Recipe, value: never): Recipe;
}

export type FieldKind =
  | {
      number: NumberRule;
      /** May be left empty. */
      optional?: boolean;
      /** What an empty input stands for, where that is a value too. */
      empty?: number;
    }
  | { choices: readonly string[] }
  | 'boolean'
  | 'names'
  | 'numbers'
  | 'text';

type Section = 'training' | 'lora' | 'quantization' | 'model';

/** What a setting is called in a file, and beside its input. */
interface FieldWords {
  key: string;
  label: string;
  hint: string;
}

/**
 * A field of a property. `usual`: the value that the recipe leaves out, so that what is chosen here and what is read
 * from a file are the same.
 */
export function field<S extends Section, P extends keyof Recipe[S]>(
  group: RecipeGroup,
  [section, property]: readonly [S, P],
  words: FieldWords,
  kind: FieldKind,
  usual?: unknown,
): RecipeField {
  return {
    ...words,
    group,
    kind,
    read: (recipe) => recipe[section][property] ?? usual,
    write: (recipe, value: Recipe[S][P]) => {
      const all = Object.entries({ ...recipe[section], [property]: value === usual ? undefined : value });
      const settings = Object.fromEntries(all.filter(([, setting]) => setting !== undefined));
      return { ...recipe, [section]: settings };
    },
  };
}
