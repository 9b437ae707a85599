import { Fields, type NumberRule } from '../../formats/fields.ts';
import type { Recipe } from '../../formats/recipe.ts';
import { UserError } from '../../formats/user-error.ts';

export type RecipeGroup =
  'Length and pace' | 'Batches' | 'Optimizer' | 'Log and checkpoints' | 'Base' | 'New adapter';

/** One setting of the recipe, as the page shows it. Rules are those of the recipe file; a test holds them together. */
export interface RecipeField {
  /** The key in training_config.yaml. */
  key: string;
  group: RecipeGroup;
  label: string;
  hint: string;
  kind:
    | { number: NumberRule; optional?: boolean }
    | { choices: readonly string[] }
    | 'boolean'
    | 'names'
    | 'text';
  read(recipe: Recipe): unknown;
  write(recipe: Recipe, value: never): Recipe;
}

const count: NumberRule = { whole: true, min: 1 };

type Section = 'training' | 'lora' | 'quantization' | 'model';

function field<S extends Section, P extends keyof Recipe[S]>(
  group: RecipeGroup,
  [section, property]: readonly [S, P],
  key: string,
  kind: RecipeField['kind'],
  label: string,
  hint: string,
): RecipeField {
  return {
    key,
    group,
    label,
    hint,
    kind,
    read: (recipe) => recipe[section][property],
    write: (recipe, value: Recipe[S][P]) => {
      const all = Object.entries({ ...recipe[section], [property]: value });
      const settings = Object.fromEntries(all.filter(([, setting]) => setting !== undefined));
      return { ...recipe, [section]: settings };
    },
  };
}

const pace = 'Length and pace';
const batches = 'Batches';
const optimizer = 'Optimizer';
const log = 'Log and checkpoints';
const adapter = 'New adapter';

export const RECIPE_FIELDS: readonly RecipeField[] = [
  field(
    pace,
    ['training', 'epochs'],
    'num_train_epochs',
    { number: { above: 0 } },
    'Epochs',
    'Times that every row is seen; may be a fraction',
  ),
  field(
    pace,
    ['training', 'learningRate'],
    'learning_rate',
    { number: { above: 0 } },
    'Learning rate',
    'Its peak, as in 5e-5',
  ),
  field(
    pace,
    ['training', 'schedule'],
    'lr_scheduler_type',
    { choices: ['linear', 'cosine', 'constant', 'constant_with_warmup'] },
    'Schedule',
    'How the learning rate falls',
  ),
  field(
    pace,
    ['training', 'warmupRatio'],
    'warmup_ratio',
    { number: { min: 0, max: 1 } },
    'Warmup ratio',
    'Share of all steps, from 0 to 1',
  ),
  field(
    pace,
    ['training', 'warmupSteps'],
    'warmup_steps',
    { number: { whole: true, min: 0 } },
    'Warmup steps',
    'Counts instead of the ratio unless 0',
  ),
  field(
    batches,
    ['training', 'maxLength'],
    'max_seq_length',
    { number: { whole: true, min: 2 } },
    'Longest row',
    'Tokens at which a row is cut',
  ),
  field(
    batches,
    ['training', 'batchSize'],
    'per_device_train_batch_size',
    { number: count },
    'Batch size',
    'Rows of a micro-batch',
  ),
  field(
    batches,
    ['training', 'accumulationSteps'],
    'gradient_accumulation_steps',
    { number: count },
    'Accumulation',
    'Micro-batches to one step',
  ),
  field(
    batches,
    ['training', 'evalBatchSize'],
    'per_device_eval_batch_size',
    { number: count },
    'Validation batch',
    'Rows whose losses are averaged together',
  ),
  field(
    optimizer,
    ['training', 'optimizer'],
    'optim',
    { choices: ['paged_adamw_8bit', 'adamw_8bit', 'adamw_bnb_8bit'] },
    'Optimizer',
    'Three names of the same 8-bit AdamW',
  ),
  field(
    optimizer,
    ['training', 'weightDecay'],
    'weight_decay',
    { number: { min: 0 } },
    'Weight decay',
    '0 leaves weights alone',
  ),
  field(
    optimizer,
    ['training', 'maxGradNorm'],
    'max_grad_norm',
    { number: { above: 0 } },
    'Gradient clipping',
    'Largest gradient norm',
  ),
  {
    key: 'seed',
    group: optimizer,
    label: 'Seed',
    hint: 'Of row order and dropout',
    kind: { number: { whole: true, min: 0, max: 2 ** 32 - 1 } },
    read: (recipe) => recipe.seed,
    write: (recipe, seed: number) => ({ ...recipe, seed }),
  },
  field(log, ['training', 'loggingSteps'], 'logging_steps', { number: count }, 'Log every', 'Steps'),
  field(log, ['training', 'evalSteps'], 'eval_steps', { number: count }, 'Validate every', 'Steps'),
  field(
    log,
    ['training', 'maxEvalSamples'],
    'max_eval_samples',
    { number: count, optional: true },
    'Rows validated',
    'The first so many; empty for all',
  ),
  field(log, ['training', 'saveSteps'], 'save_steps', { number: count }, 'Checkpoint every', 'Steps'),
  field(
    log,
    ['training', 'saveTotalLimit'],
    'save_total_limit',
    { number: count },
    'Checkpoints kept',
    'Older ones are deleted',
  ),
  field(
    'Base',
    ['quantization', 'useDoubleQuant'],
    'bnb_4bit_use_double_quant',
    'boolean',
    'Double quantisation',
    'Scales in 8 bits: a little smaller',
  ),
  field('Base', ['model', 'name'], 'name', 'text', 'Base model name', 'Kept in the files, never decided by'),
  field(adapter, ['lora', 'r'], 'r', { number: count }, 'Rank r', 'Size of the adapter'),
  field(
    adapter,
    ['lora', 'loraAlpha'],
    'lora_alpha',
    { number: { above: 0 } },
    'Alpha',
    'Scales the adapter by alpha / r',
  ),
  field(
    adapter,
    ['lora', 'loraDropout'],
    'lora_dropout',
    { number: { min: 0, below: 1 } },
    'Dropout',
    'From 0 to below 1',
  ),
  field(
    adapter,
    ['lora', 'useRslora'],
    'use_rslora',
    'boolean',
    'Rank-stabilised',
    'Scales by alpha / √r instead',
  ),
  field(
    adapter,
    ['lora', 'targetModules'],
    'target_modules',
    'names',
    'Modules',
    'Names with commas, all-linear, or a regular expression',
  ),
];

/** A field's value as its input shows it. */
export function fieldText(field: RecipeField, recipe: Recipe): string {
  const value = field.read(recipe);
  if (value === undefined) return '';
  if (typeof value === 'number' && value !== 0 && Math.abs(value) < 1e-3) return value.toExponential();
  return Array.isArray(value) ? value.join(', ') : String(value);
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
  if ('choices' in kind) return fields.choice('the value', kind.choices);
  if (kind.optional && text.trim() === '') return undefined;
  return fields.number('the value', kind.number);
}
