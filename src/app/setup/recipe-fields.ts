import { Fields } from '../../formats/fields.ts';
import type { Recipe } from '../../formats/recipe.ts';
import { UserError } from '../../formats/user-error.ts';
import type { RecipeField } from './recipe-field.ts';

export { RECIPE_FIELDS } from './recipe-field-list.ts';
export { RECIPE_GROUPS, type RecipeField, type RecipeGroup } from './recipe-field.ts';

/** A field's value as its input shows it. */
export function fieldText(field: RecipeField, recipe: Recipe): string {
  const value = field.read(recipe);
  const { kind } = field;
  if (value === undefined || (typeof kind === 'object' && 'empty' in kind && value === kind.empty)) return '';
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

function readValue({ kind, label }: RecipeField, text: string): unknown {
  const fields = new Fields(label, { 'the value': text }, '', 'change it');
  if (kind === 'boolean') return text === 'true';
  if (kind === 'text') return text;
  if (kind === 'names') {
    if (text.includes(','))
      return (
        fields.names('the value') &&
        text
          .split(',')
          .map((name) => name.trim())
          .filter(Boolean)
      );
    return fields.names('the value');
  }
  if (kind === 'numbers') return readNumbers(text, label);
  if ('choices' in kind) return fields.choice('the value', kind.choices);
  if ((kind.optional || 'empty' in kind) && text.trim() === '') return kind.empty;
  return fields.number('the value', kind.number);
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
