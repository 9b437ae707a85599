import type { NumberRule } from '../../formats/fields.ts';
import { SCHEDULES } from '../../formats/recipe/schedule.ts';
import { ADAM, METRICS, OPTIMIZERS, STEPS, STRATEGIES, VAL_SIZE } from '../../formats/recipe/training.ts';
import { field, type FieldKind, type RecipeField } from './recipe-field.ts';

const count = { number: { whole: true, min: 1 } } satisfies FieldKind;
const optionalCount = { ...count, optional: true } satisfies FieldKind;
const aboveZero = { number: { above: 0 } } satisfies FieldKind;
const fromZero = { number: { min: 0 } } satisfies FieldKind;
const everySteps = { number: STEPS } satisfies FieldKind;
const beta: NumberRule = { min: 0, below: 1 };
const strategies = { choices: STRATEGIES } satisfies FieldKind;

const words = (key: string, label: string, hint: string) => ({ key, label, hint });

/** Every setting of the recipe, in the order in which the page shows them. */
export const RECIPE_FIELDS: readonly RecipeField[] = [
  ...pace(),
  ...batches(),
  ...optimizer(),
  ...validation(),
  ...log(),
  ...base(),
  ...adapter(),
];

function pace(): RecipeField[] {
  const group = 'Length and pace';
  return [
    field(
      group,
      ['training', 'epochs'],
      words('num_train_epochs', 'Epochs', 'Times that every row is seen; may be a fraction'),
      aboveZero,
    ),
    field(
      group,
      ['training', 'maxSteps'],
      words('max_steps', 'Steps', 'Overrides the epochs; empty to go by them'),
      optionalCount,
    ),
    field(
      group,
      ['training', 'learningRate'],
      words('learning_rate', 'Learning rate', 'Its peak, as in 5e-5'),
      aboveZero,
    ),
    field(
      group,
      ['training', 'schedule'],
      words('lr_scheduler_type', 'Schedule', 'How the learning rate falls'),
      { choices: SCHEDULES },
    ),
    field(
      group,
      ['training', 'scheduleOptions'],
      words(
        'lr_scheduler_kwargs',
        'Schedule options',
        'Names and numbers, such as num_cycles 2; often empty',
      ),
      'numbers',
    ),
    field(
      group,
      ['training', 'warmupRatio'],
      words('warmup_ratio', 'Warmup ratio', 'Share of all steps, from 0 to 1'),
      { number: { min: 0, max: 1 } },
    ),
    field(
      group,
      ['training', 'warmupSteps'],
      words('warmup_steps', 'Warmup steps', 'Overrides the ratio when above 0; below 1 a share'),
      fromZero,
    ),
  ];
}

function batches(): RecipeField[] {
  const group = 'Batches';
  return [
    field(
      group,
      ['training', 'maxLength'],
      words('max_seq_length', 'Longest row', 'Tokens at which a row is cut; empty for no cut'),
      { number: { whole: true, min: 2 }, empty: Infinity },
    ),
    field(
      group,
      ['training', 'maxTrainSamples'],
      words('max_train_samples', 'Rows trained', 'First N rows of the file; empty for all'),
      optionalCount,
    ),
    field(
      group,
      ['training', 'batchSize'],
      words('per_device_train_batch_size', 'Batch size', 'Rows of a micro-batch'),
      count,
    ),
    field(
      group,
      ['training', 'accumulationSteps'],
      words('gradient_accumulation_steps', 'Accumulation', 'Micro-batches to one step'),
      count,
    ),
    field(
      group,
      ['training', 'packing'],
      words('packing', 'Packing', 'Rows share sequences of the longest length; batches count these'),
      'boolean',
      false,
    ),
  ];
}

function optimizer(): RecipeField[] {
  const group = 'Optimizer';
  return [
    field(
      group,
      ['training', 'optimizer'],
      words('optim', 'Optimizer', 'AdamW, with its state in 8 or 32 bits'),
      { choices: OPTIMIZERS },
    ),
    field(
      group,
      ['training', 'weightDecay'],
      words('weight_decay', 'Weight decay', '0 leaves weights alone'),
      fromZero,
    ),
    field(
      group,
      ['training', 'maxGradNorm'],
      words('max_grad_norm', 'Gradient clipping', 'Largest gradient norm; 0 for no clipping'),
      fromZero,
    ),
    field(
      group,
      ['training', 'adamBeta1'],
      words('adam_beta1', 'Adam beta1', 'Decay of the mean gradient'),
      { number: beta },
      ADAM.beta1,
    ),
    field(
      group,
      ['training', 'adamBeta2'],
      words('adam_beta2', 'Adam beta2', 'Decay of the mean squared gradient'),
      { number: beta },
      ADAM.beta2,
    ),
    field(
      group,
      ['training', 'adamEpsilon'],
      words('adam_epsilon', 'Adam epsilon', 'Added to the root of the squared mean'),
      aboveZero,
      ADAM.epsilon,
    ),
    {
      ...words('seed', 'Seed', 'Of row order, dropout and held-back rows'),
      group,
      kind: { number: { whole: true, min: 0, max: 2 ** 32 - 1 } },
      read: (recipe) => recipe.seed,
      write: (recipe, seed: number) => ({ ...recipe, seed }),
    },
  ];
}

function validation(): RecipeField[] {
  const group = 'Validation';
  return [
    field(
      group,
      ['training', 'valSize'],
      words('val_size', 'Rows held back', 'From the new rows: a share below 1, or a number'),
      { number: VAL_SIZE },
      0,
    ),
    field(
      group,
      ['training', 'evalStrategy'],
      words('eval_strategy', 'Validate by', 'Steps, each epoch, or never'),
      strategies,
      'steps',
    ),
    field(
      group,
      ['training', 'evalSteps'],
      words('eval_steps', 'Validate every', 'Steps; below 1 a share of all'),
      everySteps,
    ),
    field(
      group,
      ['training', 'evalBatchSize'],
      words('per_device_eval_batch_size', 'Validation batch', 'Rows whose losses are averaged together'),
      count,
    ),
    field(
      group,
      ['training', 'maxEvalSamples'],
      words('max_eval_samples', 'Rows validated', 'First N rows; empty for all'),
      optionalCount,
    ),
    field(
      group,
      ['training', 'evalOnStart'],
      words('eval_on_start', 'Validate before the first step', 'Shows what training starts from'),
      'boolean',
      false,
    ),
    field(
      group,
      ['training', 'loadBestModelAtEnd'],
      words('load_best_model_at_end', 'Keep the best', 'The result is the best checkpoint, not the last'),
      'boolean',
      false,
    ),
    field(
      group,
      ['training', 'metricForBestModel'],
      words('metric_for_best_model', 'Best by', 'The validation loss, under either name; empty to not look'),
      { choices: ['', ...METRICS] },
      '',
    ),
    field(
      group,
      ['training', 'greaterIsBetter'],
      words('greater_is_better', 'Greater is better', 'The highest loss counts as the best'),
      'boolean',
      false,
    ),
  ];
}

function log(): RecipeField[] {
  const group = 'Log and checkpoints';
  return [
    field(
      group,
      ['training', 'loggingStrategy'],
      words('logging_strategy', 'Log by', 'Steps, each epoch, or never'),
      strategies,
      'steps',
    ),
    field(
      group,
      ['training', 'loggingSteps'],
      words('logging_steps', 'Log every', 'Steps; below 1 a share of all'),
      everySteps,
    ),
    field(
      group,
      ['training', 'loggingFirstStep'],
      words('logging_first_step', 'Log the first step', 'Besides those that are due'),
      'boolean',
      false,
    ),
    field(
      group,
      ['training', 'saveStrategy'],
      words('save_strategy', 'Checkpoint by', 'Steps, each epoch, or never'),
      strategies,
      'steps',
    ),
    field(
      group,
      ['training', 'saveSteps'],
      words('save_steps', 'Checkpoint every', 'Steps; below 1 a share of all'),
      everySteps,
    ),
    field(
      group,
      ['training', 'saveTotalLimit'],
      words('save_total_limit', 'Checkpoints kept', 'Older ones are deleted; 0 keeps all'),
      { number: { whole: true, min: 0 } },
    ),
  ];
}

function base(): RecipeField[] {
  const group = 'Base';
  return [
    field(
      group,
      ['quantization', 'useDoubleQuant'],
      words('bnb_4bit_use_double_quant', 'Double quantisation', 'Scales in 8 bits: a little smaller'),
      'boolean',
    ),
    field(
      group,
      ['model', 'name'],
      words('name', 'Base model name', 'Label only; does not affect training'),
      'text',
    ),
  ];
}

function adapter(): RecipeField[] {
  const group = 'New adapter';
  return [
    field(group, ['lora', 'r'], words('r', 'Rank r', 'Size of the adapter'), count),
    field(
      group,
      ['lora', 'loraAlpha'],
      words('lora_alpha', 'Alpha', 'Scales the adapter by alpha / r'),
      aboveZero,
    ),
    field(group, ['lora', 'loraDropout'], words('lora_dropout', 'Dropout', 'From 0 to below 1'), {
      number: { min: 0, below: 1 },
    }),
    field(
      group,
      ['lora', 'useRslora'],
      words('use_rslora', 'Rank-stabilised', 'Scales by alpha / √r instead'),
      'boolean',
    ),
    field(
      group,
      ['lora', 'targetModules'],
      words('target_modules', 'Modules', 'Names with commas, all-linear, or a regular expression'),
      'names',
    ),
  ];
}
