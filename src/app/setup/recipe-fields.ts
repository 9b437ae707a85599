import { Fields } from '../../formats/fields.ts';
import type { Recipe } from '../../formats/recipe.ts';
import {
  RECIPE,
  RECIPE_GROUPS,
  SEED,
  type RecipeSetting,
  type Section,
} from '../../formats/recipe/settings.ts';
import type { Setting } from '../../formats/setting.ts';
import { UserError } from '../../formats/user-error.ts';

/** One setting of the recipe, as the page shows it. */
export type RecipeField = RecipeSetting & {
  read(recipe: Recipe): unknown;
  write(recipe: Recipe, value: unknown): Recipe;
};

/** Every setting of the recipe, in the order in which the page shows them. */
export const RECIPE_FIELDS: readonly RecipeField[] = inGroups([
  ...(Object.keys(RECIPE) as Section[]).flatMap((section) => fieldsOf(section)),
  { ...SEED, read: ({ seed }) => seed, write: (recipe, seed) => ({ ...recipe, seed: seed as number }) },
]);

function inGroups(fields: readonly RecipeField[]): RecipeField[] {
  return RECIPE_GROUPS.flatMap((group) => fields.filter((field) => field.group === group));
}

function fieldsOf(section: Section): RecipeField[] {
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

/** What may be chosen: none too, where a setting may have no value. */
export const choicesOf = (setting: Setting & { kind: 'choice' }): readonly string[] =>
  isOptional(setting) ? ['', ...setting.choices] : setting.choices;

const isOptional = (setting: Setting): boolean => 'usual' in setting && setting.usual === undefined;

/** A field's value as its input shows it. */
export function fieldText(field: RecipeField, recipe: Recipe): string {
  const value = field.read(recipe);
  const { kind } = field;
  if (value === undefined || value === Infinity) return '';
  if (typeof value === 'number' && value !== 0 && Math.abs(value) < 1e-3) return value.toExponential();
  if (kind === 'numbers')
    return Object.entries(value as Record<string, number>)
      .map(([name, number]) => `${name} ${number}`)
      .join(', ');
  return Array.isArray(value) ? value.join(', ') : String(value as string);
}

/** The recipe with `text` in a field, or the sentence that says why it cannot be. */
export function setField(
  field: RecipeField,
  recipe: Recipe,
  text: string,
): { recipe: Recipe } | { problem: string } {
  try {
    return { recipe: field.write(recipe, readValue(field, text) as never) };
  } catch (error) {
    if (error instanceof UserError) return { problem: error.message };
    throw error;
  }
}

function readValue(setting: Setting, text: string): unknown {
  const { label } = setting;
  const fields = new Fields(label, { 'the value': text }, '', 'change it');
  switch (setting.kind) {
    case 'boolean':
      return text === 'true';
    case 'text':
      return text;
    case 'names':
      return readNames(fields, text);
    case 'numbers':
      return readNumbers(text, label);
    case 'choice':
      return fields.choice('the value', choicesOf(setting)) || undefined;
    case 'number': {
      const empty = text.trim() === '';
      if (empty && isOptional(setting)) return undefined;
      if (empty && setting.none === Infinity) return Infinity;
      return fields.number('the value', setting.range);
    }
  }
}

function readNames(fields: Fields, text: string): readonly string[] | string {
  const names = fields.names('the value');
  if (!text.includes(',')) return names;
  return text
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean);
}

/** "num_cycles 2, power 1": names and numbers; undefined for none. */
function readNumbers(text: string, label: string): Record<string, number> | undefined {
  const pairs = text.split(',').filter((part) => part.trim() !== '');
  if (pairs.length === 0) return undefined;
  return Object.fromEntries(
    pairs.map((pair) => {
      const [, name, number] = /^\s*(\w+)[\s:=]+(\S+)\s*$/.exec(pair) ?? [];
      if (name === undefined || number === undefined)
        throw new UserError(`${label}: expected names and numbers, such as num_cycles 2; change it.`);
      return [name, new Fields(label, { [name]: number }, '', 'change it').number(name, { min: 0 })] as const;
    }),
  );
}
