import { describe, expect, it } from 'vitest';
import {
  fieldText,
  RECIPE_FIELDS,
  type RecipeField,
  setField,
} from '../../../src/app/setup/recipe-fields.ts';
import { defaultRecipe, parseRecipe, recipeToYaml } from '../../../src/formats/recipe.ts';
import type { TrainingSettings } from '../../../src/formats/recipe/settings.ts';
import { trainingKeys } from '../../../src/formats/recipe/training.ts';

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
/** Every setting, none with its usual value. */
const EVERYTHING: TrainingSettings = {
  ...defaultRecipe().training,
  maxSteps: 7,
  adamBeta1: 0.8,
  adamBeta2: 0.95,
  adamEpsilon: 1e-6,
  schedule: 'cosine_with_restarts',
  scheduleOptions: { num_cycles: 3 },
  maxGradNorm: 0,
  loggingSteps: 0.1,
  loggingStrategy: 'no',
  loggingFirstStep: true,
  saveStrategy: 'epoch',
  saveTotalLimit: 0,
  evalStrategy: 'epoch',
  evalOnStart: true,
  valSize: 0.1,
  maxTrainSamples: 9,
  maxEvalSamples: 3,
  loadBestModelAtEnd: true,
  metricForBestModel: 'eval_loss',
  greaterIsBetter: true,
  saveBest: true,
  earlyStoppingPatience: 3,
  earlyStoppingThreshold: 0.1,
  samplePrompts: ['Why?', 'What\nis "it"?'],
  sampleTokens: 9,
  packing: true,
  maxLength: 1024,
};
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
  const typed = RECIPE_FIELDS.filter(({ kind }) => kind === 'number' || kind === 'choice');

  it.each(typed.map((field) => [field.key, field] as const))(
    '%s takes what the file may hold',
    (_, field) => {
      for (const text of PROBES)
      // -1 is the file's notation for counting epochs; here the input is left empty.
      {
        if (field.key !== 'max_steps' || Number(text) > 0) {
          expect('recipe' in setField(field, defaultRecipe(), text), `${field.key}: ${text}`).toBe(
            fileTakes(field, text),
          );
        }
      }
    },
  );

  it('show every setting that a recipe file can have', () => {
    const keys = [...recipeToYaml(defaultRecipe()).matchAll(/^ +([a-z_0-9]+):/gm)].map((match) => match[1]);
    const fixed = ['load_in_4bit', 'bnb_4bit_quant_type'];
    const shown = RECIPE_FIELDS.map((field) => field.key);
    expect(keys.filter((key) => !fixed.includes(key!) && !shown.includes(key!))).toEqual([]);
    expect(shown).toContain('seed');
    expect(Object.keys(trainingKeys(EVERYTHING)).filter((key) => !shown.includes(key))).toEqual([]);
  });

  it.each([
    ['the defaults', defaultRecipe()],
    ['everything unusual', { ...defaultRecipe(), training: EVERYTHING }],
  ])('give back what they show: %s', (_, recipe) => {
    for (const field of RECIPE_FIELDS) {
      expect(setField(field, recipe, fieldText(field, recipe)), field.key).toEqual({ recipe });
    }
  });

  it('leave out what is usual, as the file does', () => {
    const recipe = { ...defaultRecipe(), training: EVERYTHING };
    const usual: Record<string, string> = {
      max_steps: '',
      adam_beta1: '0.9',
      adam_beta2: '0.999',
      adam_epsilon: '1e-8',
      lr_scheduler_kwargs: '',
      lr_scheduler_type: 'linear',
      logging_strategy: 'steps',
      logging_first_step: 'false',
      save_strategy: 'steps',
      eval_strategy: 'steps',
      eval_on_start: 'false',
      val_size: '0',
      max_train_samples: '',
      max_eval_samples: '',
      load_best_model_at_end: 'false',
      metric_for_best_model: '',
      greater_is_better: 'false',
      save_best: 'false',
      early_stopping_patience: '',
      early_stopping_threshold: '0',
      sample_prompts: '',
      sample_max_new_tokens: '64',
      packing: 'false',
    };
    let plain = recipe as ReturnType<typeof defaultRecipe>;
    for (const field of RECIPE_FIELDS.filter(({ key }) => key in usual)) {
      plain = (setField(field, plain, usual[field.key]!) as { recipe: typeof plain }).recipe;
    }
    expect(Object.keys(plain.training).toSorted()).toEqual(Object.keys(defaultRecipe().training).toSorted());
    expect(parseRecipe(recipeToYaml(plain), 'training_config.yaml').recipe).toEqual(plain);
  });

  it('read the options of a schedule as names and numbers', () => {
    const field = RECIPE_FIELDS.find(({ key }) => key === 'lr_scheduler_kwargs')!;
    expect(setField(field, defaultRecipe(), 'min_lr_rate 0.1, num_cycles: 1')).toMatchObject({
      recipe: { training: { scheduleOptions: { min_lr_rate: 0.1, num_cycles: 1 } } },
    });
    expect(setField(field, defaultRecipe(), 'two')).toEqual({
      problem: 'Schedule options: expected names and numbers, such as num_cycles 2; change it.',
    });
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
