import { describe, expect, it } from 'vitest';
import {
  fieldText,
  RECIPE_FIELDS,
  setField,
  type RecipeField,
} from '../../../src/app/state/recipe-fields.ts';
import { defaultRecipe, parseRecipe, recipeToYaml } from '../../../src/formats/recipe.ts';

const PROBES = [
  '-1',
  '0',
  '1e-9',
  '0.5',
  '1',
  '1.5',
  '2',
  '4294967295',
  '4294967296',
  'abc',
  '5e-5',
  'linear',
];
const SECTIONS: Record<string, string> = {
  Base: 'quantization',
  'New adapter': 'lora',
};

/** Whether the recipe file's own reader takes the value. */
function fileTakes(field: RecipeField, text: string): boolean {
  const section = SECTIONS[field.group] ?? 'training';
  const yaml = field.key === 'seed' ? `seed: ${text}` : `${section}:\n  ${field.key}: ${text}`;
  try {
    parseRecipe(yaml, 'training_config.yaml');
    return true;
  } catch {
    return false;
  }
}

describe('the fields of the recipe', () => {
  const typed = RECIPE_FIELDS.filter(({ kind }) => typeof kind === 'object');

  it.each(typed.map((field) => [field.key, field] as const))(
    '%s takes what the file may hold',
    (_, field) => {
      for (const text of PROBES)
        expect('recipe' in setField(field, defaultRecipe(), text), `${field.key}: ${text}`).toBe(
          fileTakes(field, text),
        );
    },
  );

  it('show every setting that a recipe file can have', () => {
    const keys = [...recipeToYaml(defaultRecipe()).matchAll(/^ +([a-z_0-9]+):/gm)].map((match) => match[1]);
    const fixed = ['load_in_4bit', 'bnb_4bit_quant_type'];
    const shown = RECIPE_FIELDS.map((field) => field.key);
    expect(keys.filter((key) => !fixed.includes(key!) && !shown.includes(key!))).toEqual([]);
    expect(shown).toContain('max_eval_samples');
    expect(shown).toContain('seed');
  });

  it('give back what they show', () => {
    for (const field of RECIPE_FIELDS) {
      const result = setField(field, defaultRecipe(), fieldText(field, defaultRecipe()));
      expect(result, field.key).toEqual({ recipe: defaultRecipe() });
    }
  });

  it('say what is wrong in one sentence', () => {
    const field = RECIPE_FIELDS.find(({ key }) => key === 'gradient_accumulation_steps')!;
    expect(setField(field, defaultRecipe(), '0')).toEqual({
      problem: 'Accumulation: the value is "0", expected a whole number at least 1; change it.',
    });
  });

  it('leave an optional number out where it is empty', () => {
    const field = RECIPE_FIELDS.find(({ key }) => key === 'max_eval_samples')!;
    const some = setField(field, defaultRecipe(), '7');
    expect(some).toMatchObject({ recipe: { training: { maxEvalSamples: 7 } } });
    expect(setField(field, (some as { recipe: ReturnType<typeof defaultRecipe> }).recipe, '')).toEqual({
      recipe: defaultRecipe(),
    });
  });
});
