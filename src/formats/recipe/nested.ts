import { refuseVariants, UNSUPPORTED } from '../adapter-config.ts';
import { Fields } from '../fields.ts';
import { readSettings, settingKeys } from '../setting.ts';
import { UserError } from '../user-error.ts';
import { isHarmless } from './harmless.ts';
import type { Recipe } from './recipe.ts';
import { RECIPE, RECIPE_SECTIONS, type RecipeSection, SEED } from './settings.ts';
import { readTraining, trainingKeys } from './training.ts';
import { type KnownKeys, sortUnread } from './unread.ts';
import { LORA_VARIANTS, refuseSet, trainingVariants } from './variants.ts';

/** Kept without a word: they say what is so anyway, and refuseVariants has looked at the values of the others. */
const COMPATIBLE: ReadonlySet<string> = new Set([
  'model.cache_dir',
  'quantization.bnb_4bit_compute_dtype',
  'quantization.bnb_4bit_quant_storage',
  'training.gradient_checkpointing',
  'training.fp16',
  'training.bf16',
  ...['bias', 'init_lora_weights', 'task_type', 'peft_type', 'inference_mode', ...UNSUPPORTED].map(
    (key) => `lora.${key}`,
  ),
]);

/** The section of every key; the top level has none. */
const PLACE_OF: ReadonlyMap<string, RecipeSection | undefined> = new Map<string, RecipeSection | undefined>([
  ...keysOf('training', (fields) => readTraining(fields)),
  ...keysOf('lora', (fields) => readSettings(fields, RECIPE.lora)),
  ...keysOf('quantization', readQuantization),
  ['bnb_4bit_compute_dtype', 'quantization'],
  ['cache_dir', 'model'],
  [SEED.key, undefined],
]);

const KNOWN: KnownKeys = {
  settings: new Set(PLACE_OF.keys()),
  places: new Set(['output_dir', 'resume_from_checkpoint']),
  harmless: isHarmless,
};

interface Options {
  /** The file is Retune's own: what it does not know had no effect when it was written. */
  readonly own?: boolean | undefined;
}

/** Reads the sections of a training_config.yaml. Throws UserError naming the key. */
export function readNested(values: unknown, file: string, { own }: Options = {}) {
  const top = new Fields(file, values);
  const [model, lora, quantization, training] = RECIPE_SECTIONS.map((key) => top.section(key)) as [
    Fields,
    Fields,
    Fields,
    Fields,
  ];
  const seed = top.number(SEED.key, SEED.range, SEED.default);
  refuseVariants(lora);
  if (!own) {
    refuseMisplaced({ model, lora, quantization, training }, top);
    refuseSet(training, trainingVariants(seed));
    refuseSet(top, trainingVariants(seed));
    refuseSet(lora, LORA_VARIANTS);
  }
  const known = {
    model: readSettings(model, RECIPE.model),
    lora: readSettings(lora, RECIPE.lora),
    quantization: readQuantization(quantization),
    training: readTraining(training),
    seed,
  };
  const unasked = [top, model, lora, quantization, training].flatMap((fields) => fields.unasked());
  const recipe: Recipe = { ...known, rest: Object.fromEntries(unasked) };
  const noted = unasked.filter(([path]) => !COMPATIBLE.has(path));
  return { recipe, warnings: own ? [] : tell(noted, file) };
}

/** The keys of a training_config.yaml that reads back to the same recipe, keys without an effect included. */
export function nestedKeys(recipe: Recipe): Record<string, unknown> {
  const { model, lora, quantization, training, seed, rest } = recipe;
  const sections: Record<RecipeSection, Record<string, unknown>> = {
    model: settingKeys(RECIPE.model, model),
    lora: settingKeys(RECIPE.lora, lora),
    quantization: {
      load_in_4bit: true,
      bnb_4bit_quant_type: 'nf4',
      ...settingKeys(RECIPE.quantization, quantization),
    },
    training: trainingKeys(training),
  };
  const top: Record<string, unknown> = { ...sections, [SEED.key]: seed };
  for (const [path, value] of Object.entries(rest)) {
    const section = RECIPE_SECTIONS.find((name) => path.startsWith(`${name}.`));
    if (section) {
      define(sections[section], path.slice(section.length + 1), value);
    } else {
      define(top, path, value);
    }
  }
  return top;
}

/** Gives an object a key, whatever it is called: __proto__ cannot be assigned. */
function define(object: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
}

/** Reads how the base is kept. Throws UserError where that is not NF4. */
export function readQuantization(file: Fields, doubleQuant = true): Recipe['quantization'] {
  if (!file.boolean('load_in_4bit', true)) {
    file.refuse('load_in_4bit', 'true, since the base is always kept in 4 bits');
  }
  if (file.boolean('load_in_8bit', false)) {
    file.refuse('load_in_8bit', 'false, since the base is always kept in 4 bits');
  }
  file.choice('bnb_4bit_quant_type', ['nf4'], 'nf4');
  return readSettings(file, RECIPE.quantization, { useDoubleQuant: doubleQuant });
}

/** Whether a key is one of ours, or of one section. */
export const isOwnKey = (key: string, section?: RecipeSection): boolean =>
  section === undefined
    ? PLACE_OF.has(key) || RECIPE_SECTIONS.some((own) => own === key)
    : PLACE_OF.get(key) === section;

/** Where our own keys belong, as far as one of them stands where it would not be read. */
export const placeOf = (key: string): string | undefined => {
  if (!PLACE_OF.has(key)) {
    return undefined;
  }
  const section = PLACE_OF.get(key);
  return section === undefined ? 'at the top level' : `under ${section}`;
};

/** Throws UserError for a setting outside its section. */
function refuseMisplaced(sections: Record<RecipeSection, Fields>, top: Fields): void {
  for (const [section, { values }] of [['', top] as const, ...Object.entries(sections)]) {
    for (const key of Object.keys(values)) {
      const place = placeOf(key);
      if (place === undefined || (PLACE_OF.get(key) ?? '') === section) {
        continue;
      }
      const where = section === '' ? '' : `${section}.${key}: `;
      throw new UserError(`${top.file}: ${where}${key} belongs ${place}; move it there.`);
    }
  }
}

function tell(noted: readonly (readonly [string, unknown])[], file: string): string[] {
  const { places, harmless, unknown } = sortUnread(noted, file, KNOWN);
  const without = [...places, ...harmless];
  return [
    ...(without.length > 0 ? [`${file}: without effect here: ${without.join(', ')}.`] : []),
    ...(unknown.length > 0 ? [`${file}: not known, and without effect: ${unknown.join(', ')}.`] : []),
  ];
}

/** What a reader asks an empty file for. */
function keysOf(section: RecipeSection, read: (fields: Fields) => unknown): [string, RecipeSection][] {
  const empty = new Fields('', {});
  read(empty);
  return [...empty.asked()].map((key) => [key, section]);
}
