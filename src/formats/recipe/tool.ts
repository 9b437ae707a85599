import { Fields, type KeyNames } from '../fields.ts';
import { quote } from '../quote.ts';
import { settingKeys } from '../setting.ts';
import { UserError } from '../user-error.ts';
import { isHarmless } from './harmless.ts';
import type { Recipe } from './recipe.ts';
import { RECIPE, SEED } from './settings.ts';
import { type TrainingDefaults, trainingKeys } from './training.ts';
import { nearest } from './unread.ts';
import { isUnset, refuseSet, trainingVariants, type Variants } from './variants.ts';

/** What was read from another tool's recipe, in words. */
export interface RecipeReading {
  /** Whose file it is. */
  readonly tool: string;
  /** Settings that the file gives: "lora.r 16 (lora_rank)"; and its own keys that say what is so anyway. */
  readonly given: readonly string[];
  /** Settings that it leaves to its tool. */
  readonly defaults: readonly string[];
  /** Keys of files and folders: what is chosen here counts. */
  readonly places: readonly string[];
  /** Keys that do not change the training. */
  readonly harmless: readonly string[];
  /** What is not quite the same here: a sentence each. */
  readonly notes: readonly string[];
}

/** How another tool's recipe is read. */
export interface Tool {
  readonly name: string;
  /** What the tool calls our settings. */
  readonly names: KeyNames;
  /** Other keys of its that some of our settings come from. */
  readonly sources?: Readonly<Record<string, readonly string[]>>;
  /** Keys by which its files are known, beside those of transformers. */
  readonly keys: ReadonlySet<string>;
  /** Whether its files hold the keys of transformers' TrainingArguments, too. */
  readonly transformers: boolean;
  /** Its keys that would change the training. */
  readonly variants: Variants;
  readonly places: ReadonlySet<string>;
  /** Its keys, beside those of transformers, that do not change the training. */
  readonly harmless: ReadonlySet<string>;
  /** Reads the settings, and says what is not quite the same. Throws UserError naming the key. */
  read(file: Fields, own: Fields): { recipe: Omit<Recipe, 'seed' | 'rest'>; notes: string[] };
}

/** transformers' values where a file is silent; the usual ones of its Trainer. */
export const TRANSFORMERS: TrainingDefaults = {
  epochs: 3,
  batchSize: 8,
  evalBatchSize: 8,
  accumulationSteps: 1,
  optimizer: 'adamw_torch_fused',
  learningRate: 5e-5,
  weightDecay: 0,
  warmupRatio: 0,
  warmupSteps: 0,
  schedule: 'linear',
  maxGradNorm: 1,
  loggingSteps: 10,
  saveSteps: 500,
  saveTotalLimit: 0,
  maxLength: 2048,
};

/** Steps between evaluations as transformers has them: where evaluations are asked for without a number, as often as it logs. */
export function evalStepsOf(file: Fields, logging = 500): { evalSteps?: number } {
  const strategy = file.value('eval_strategy') ?? file.value('evaluation_strategy');
  if (strategy !== 'steps' || file.has('eval_steps')) {
    return {};
  }
  return { evalSteps: file.number('logging_steps', { above: 0, wholeAbove: 1 }, logging) };
}

/** Reads another tool's recipe. Throws UserError for whatever would train something else. */
export function readForeign(tool: Tool, values: Record<string, unknown>, file: string) {
  const own = new Fields(file, values);
  const fields = own.renamed(tool.names);
  const seed = own.number(SEED.key, SEED.range, SEED.default);
  refuseSet(own, tool.variants);
  refuseSet(own, trainingVariants(seed));
  const { recipe: read, notes } = tool.read(fields, own);
  const recipe: Recipe = { ...read, seed, rest: {} };
  const { places, harmless } = sortKeys(tool, own);
  const { given, defaults, read: shown } = tell(recipe, fields, tool);
  const label = fields.nameOf('name');
  if (label !== undefined && own.has(label)) {
    places.unshift(label);
  }
  const met = Object.keys(values).filter((key) => ![...places, ...harmless].includes(key) && !shown.has(key));
  given.push(...met.map((key) => `${key} ${quote(values[key])}`));
  notes.push(...severalGpus(own));
  const reading: RecipeReading = { tool: tool.name, given, defaults, places, harmless, notes };
  return { recipe, warnings: [], reading };
}

/** A null in the file that means none, not a default. */
const saysNone = (name: string, value: unknown, { values }: Fields): boolean =>
  values[name] === null && (value === null || value === 0);

/** A step of several GPUs has the rows of all of them. */
function severalGpus(own: Fields): string[] {
  const keys = ['deepspeed', 'fsdp', 'fsdp_config'].filter((key) => !isUnset(own.values[key]));
  if (keys.length === 0) {
    return [];
  }
  return [
    `${keys.join(', ')}: one GPU trains here, so a step has the rows of one; raise gradient_accumulation_steps for more.`,
  ];
}

/** Every setting under our names, by whether the file gives it. */
function tell({ lora, quantization, training, seed }: Recipe, fields: Fields, { sources = {} }: Tool) {
  const given: string[] = [];
  const defaults: string[] = [];
  const read = new Set<string>();
  const sections = {
    training: trainingKeys(training),
    lora: settingKeys(RECIPE.lora, lora),
    quantization: settingKeys(RECIPE.quantization, quantization),
    '': { [SEED.key]: seed },
  };
  for (const [section, keys] of Object.entries(sections)) {
    for (const [key, value] of Object.entries(keys)) {
      const text = `${section === '' ? '' : `${section}.`}${key} ${quote(value)}`;
      const names = [fields.nameOf(key), ...(sources[key] ?? [])].filter((name) => name !== undefined);
      const name = names.find(
        (n) => (fields.values[n] ?? undefined) !== undefined || saysNone(n, value, fields),
      );
      if (name === undefined) {
        defaults.push(text);
      } else {
        given.push(name === key ? text : `${text} (${name})`);
      }
      if (name !== undefined) {
        read.add(name);
      }
    }
  }
  return { given, defaults, read };
}

function sortKeys(tool: Tool, own: Fields): { places: string[]; harmless: string[] } {
  const places: string[] = [];
  const harmless: string[] = [];
  const known = new Set([...tool.keys, ...own.asked()]);
  for (const [key, value] of own.unasked()) {
    if (tool.places.has(key)) {
      places.push(key);
    } else if (tool.harmless.has(key) || isHarmless(key)) {
      harmless.push(key);
    } else {
      const meant = known.has(key) ? undefined : nearest(key, known);
      if (meant !== undefined) {
        throw new UserError(
          `${own.file}: ${key} is not known, did you mean ${meant}?; correct or remove it.`,
        );
      }
      if (!isUnset(value)) {
        throw new UserError(
          `${own.file}: ${key} is not a key of ${tool.name} that Retune knows, so it is not known what would change without it; remove it if it does not matter.`,
        );
      }
      harmless.push(key);
    }
  }
  return { places, harmless };
}

/** What was read, in lines with a heading each. `chosen`: what counts in place of the file's own files and folders. */
export function readingLines(
  reading: RecipeReading,
  chosen: string,
): (readonly [heading: string, text: string])[] {
  const { tool, given, defaults, places, harmless, notes } = reading;
  const lines = [
    ['Read as', `a recipe of ${tool}`],
    ['From the file', given.join(', ')],
    ['Not in the file', defaults.join(', ')],
    [`Not used, since ${chosen}`, places.join(', ')],
    ['Without effect here', harmless.join(', ')],
    ...notes.map((note) => ['Note', note] as const),
  ] as const;
  return lines.filter(([, text]) => text !== '');
}
