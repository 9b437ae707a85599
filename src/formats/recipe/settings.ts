import { PROJECTIONS } from '../decoder-weights.ts';
import type { Setting, Settings, SettingTable } from '../setting.ts';
import { SCHEDULES } from './schedule.ts';

/** The groups of the page's form, in its order. */
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

/** A setting of the recipe, and where the page shows it. */
export type RecipeSetting = Setting & {
  readonly group: RecipeGroup;
  /** A key of Retune's, not of transformers' TrainingArguments. */
  readonly own?: true;
};

/** AdamW with blockwise 8-bit state, by transformers' names, as in bitsandbytes. */
const OPTIMIZERS_8BIT = ['paged_adamw_8bit', 'adamw_8bit', 'adamw_bnb_8bit'] as const;
/**
 * And AdamW with 32-bit state. Weights decay after the update, as in bitsandbytes; torch's decay before it, which
 * differs by learning_rate · weight_decay of an update.
 */
export const OPTIMIZERS_32BIT = ['adamw_torch', 'adamw_torch_fused', 'paged_adamw_32bit'] as const;

/** When something is done. */
const STRATEGIES = ['steps', 'epoch', 'no'] as const;

const COUNT = { whole: true, min: 1 } as const;
const FROM_ZERO = { min: 0 } as const;
const ABOVE_ZERO = { above: 0 } as const;
const BELOW_ONE = { min: 0, below: 1 } as const;
/** An interval in steps; below 1, a fraction of all steps. */
const STEPS = { above: 0, wholeAbove: 1 } as const;

/**
 * Every setting of training_config.yaml, by section and in the order in which the page shows them: the one place that
 * reading, checking, writing, the form and the types come from. Keys are those of transformers, PEFT and bitsandbytes.
 * A setting with a usual value is left out of the recipe where it has it, so that a recipe that does not ask for it
 * reads, and hashes, as it did before there was the setting.
 */
export const RECIPE = {
  training: {
    /** May be a fraction. */
    epochs: {
      key: 'num_train_epochs',
      kind: 'number',
      range: ABOVE_ZERO,
      default: 2,
      group: 'Length and pace',
      label: 'Epochs',
      hint: 'Times that every row is seen; may be a fraction',
    },
    /** Optimizer steps of the whole run; where it is set, `epochs` does not count. */
    maxSteps: {
      key: 'max_steps',
      kind: 'number',
      range: COUNT,
      usual: undefined,
      unsetFrom: -1,
      group: 'Length and pace',
      label: 'Steps',
      hint: 'Overrides the epochs; empty to go by them',
    },
    /** Its peak. */
    learningRate: {
      key: 'learning_rate',
      kind: 'number',
      range: ABOVE_ZERO,
      default: 5e-5,
      group: 'Length and pace',
      label: 'Learning rate',
      hint: 'Its peak, as in 5e-5',
    },
    schedule: {
      key: 'lr_scheduler_type',
      kind: 'choice',
      choices: SCHEDULES,
      default: 'linear',
      group: 'Length and pace',
      label: 'Schedule',
      hint: 'How the learning rate falls',
    },
    /** By transformers' names. */
    scheduleOptions: {
      key: 'lr_scheduler_kwargs',
      kind: 'numbers',
      usual: undefined,
      group: 'Length and pace',
      label: 'Schedule options',
      hint: 'Names and numbers, such as num_cycles 2; often empty',
    },
    /** Share of all steps; counts where `warmupSteps` is 0. */
    warmupRatio: {
      key: 'warmup_ratio',
      kind: 'number',
      range: { min: 0, max: 1 },
      default: 0,
      group: 'Length and pace',
      label: 'Warmup ratio',
      hint: 'Share of all steps, from 0 to 1',
    },
    /** Below 1 itself a share of all steps. */
    warmupSteps: {
      key: 'warmup_steps',
      kind: 'number',
      range: FROM_ZERO,
      default: 0,
      group: 'Length and pace',
      label: 'Warmup steps',
      hint: 'Overrides the ratio when above 0; below 1 a share',
    },
    /** Tokens at which a row is cut; Infinity for no cut. */
    maxLength: {
      key: 'max_seq_length',
      synonym: 'max_length',
      own: true,
      kind: 'number',
      range: { whole: true, min: 2 },
      default: 2048,
      none: Infinity,
      writesNull: true,
      group: 'Batches',
      label: 'Longest row',
      hint: 'Tokens at which a row is cut; empty for no cut',
    },
    /** Train on the first so many rows of the file only. */
    maxTrainSamples: {
      key: 'max_train_samples',
      own: true,
      kind: 'number',
      range: COUNT,
      usual: undefined,
      group: 'Batches',
      label: 'Rows trained',
      hint: 'First N rows of the file; empty for all',
    },
    /** Rows per micro-batch. */
    batchSize: {
      key: 'per_device_train_batch_size',
      kind: 'number',
      range: COUNT,
      default: 1,
      group: 'Batches',
      label: 'Batch size',
      hint: 'Rows of a micro-batch',
    },
    /** Micro-batches per optimizer step. */
    accumulationSteps: {
      key: 'gradient_accumulation_steps',
      kind: 'number',
      range: COUNT,
      default: 16,
      group: 'Batches',
      label: 'Accumulation',
      hint: 'Micro-batches to one step',
    },
    /** Rows share sequences of `maxLength` tokens, without seeing each other, and batches count these. */
    packing: {
      key: 'packing',
      own: true,
      kind: 'boolean',
      usual: false,
      group: 'Batches',
      label: 'Packing',
      hint: 'Rows share sequences of the longest length; batches count these',
    },
    optimizer: {
      key: 'optim',
      kind: 'choice',
      choices: [...OPTIMIZERS_8BIT, ...OPTIMIZERS_32BIT],
      default: 'paged_adamw_8bit',
      group: 'Optimizer',
      label: 'Optimizer',
      hint: 'AdamW, with its state in 8 or 32 bits',
    },
    weightDecay: {
      key: 'weight_decay',
      kind: 'number',
      range: FROM_ZERO,
      default: 0,
      group: 'Optimizer',
      label: 'Weight decay',
      hint: '0 leaves weights alone',
    },
    /** L2 norm to which gradients are clipped; 0 for no clipping. */
    maxGradNorm: {
      key: 'max_grad_norm',
      kind: 'number',
      range: FROM_ZERO,
      default: 1,
      none: 0,
      group: 'Optimizer',
      label: 'Gradient clipping',
      hint: 'Largest gradient norm; 0 for no clipping',
    },
    /** Decay of the first moment. */
    adamBeta1: {
      key: 'adam_beta1',
      kind: 'number',
      range: BELOW_ONE,
      usual: 0.9,
      group: 'Optimizer',
      label: 'Adam beta1',
      hint: 'Decay of the mean gradient',
    },
    /** Decay of the second moment. */
    adamBeta2: {
      key: 'adam_beta2',
      kind: 'number',
      range: BELOW_ONE,
      usual: 0.999,
      group: 'Optimizer',
      label: 'Adam beta2',
      hint: 'Decay of the mean squared gradient',
    },
    /** What is added to the root of the second moment. */
    adamEpsilon: {
      key: 'adam_epsilon',
      kind: 'number',
      range: ABOVE_ZERO,
      usual: 1e-8,
      group: 'Optimizer',
      label: 'Adam epsilon',
      hint: 'Added to the root of the squared mean',
    },
    /** Rows held back from the training data to evaluate on: a share below 1, or a number. */
    valSize: {
      key: 'val_size',
      own: true,
      kind: 'number',
      range: { min: 0, wholeAbove: 1 },
      usual: 0,
      group: 'Validation',
      label: 'Rows held back',
      hint: 'From the new rows: a share below 1, or a number',
    },
    evalStrategy: {
      key: 'eval_strategy',
      // Before transformers 4.46.
      formerly: 'evaluation_strategy',
      kind: 'choice',
      choices: STRATEGIES,
      usual: 'steps',
      group: 'Validation',
      label: 'Validate by',
      hint: 'Steps, each epoch, or never',
    },
    /** Optimizer steps between evaluations, by default as many as between checkpoints; below 1 a share of all steps. */
    evalSteps: {
      key: 'eval_steps',
      kind: 'number',
      range: STEPS,
      group: 'Validation',
      label: 'Validate every',
      hint: 'Steps; below 1 a share of all',
    },
    evalBatchSize: {
      key: 'per_device_eval_batch_size',
      kind: 'number',
      range: COUNT,
      default: 1,
      group: 'Validation',
      label: 'Validation batch',
      hint: 'Rows whose losses are averaged together',
    },
    /** Evaluate on the first so many rows only. */
    maxEvalSamples: {
      key: 'max_eval_samples',
      own: true,
      kind: 'number',
      range: COUNT,
      usual: undefined,
      group: 'Validation',
      label: 'Rows validated',
      hint: 'First N rows; empty for all',
    },
    evalOnStart: {
      key: 'eval_on_start',
      kind: 'boolean',
      usual: false,
      group: 'Validation',
      label: 'Validate before the first step',
      hint: 'Shows what training starts from',
    },
    loadBestModelAtEnd: {
      key: 'load_best_model_at_end',
      kind: 'boolean',
      usual: false,
      group: 'Validation',
      label: 'Take the best',
      hint: 'The result is the best checkpoint, not the last',
    },
    /** Both names are of the one metric that there is. */
    metricForBestModel: {
      key: 'metric_for_best_model',
      kind: 'choice',
      choices: ['loss', 'eval_loss'],
      usual: undefined,
      group: 'Validation',
      label: 'Best by',
      hint: 'The validation loss, under either name; empty to not look',
    },
    greaterIsBetter: {
      key: 'greater_is_better',
      kind: 'boolean',
      usual: false,
      group: 'Validation',
      label: 'Greater is better',
      hint: 'The highest loss counts as the best',
    },
    /**
     * Whether an evaluation with a lower loss than all before saves a checkpoint, which is kept beside
     * `saveTotalLimit`. It changes no number of the run. A recipe's file is met as transformers' Trainer would meet
     * it, so it is off unless the file says otherwise; without a file it is on, in the page and on the command line.
     */
    saveBest: {
      key: 'save_best',
      own: true,
      kind: 'boolean',
      usual: false,
      group: 'Validation',
      label: 'Keep the best checkpoint',
      hint: 'A better validation loss saves one, beside those kept',
    },
    /** Evaluations without a better loss after which the run ends. */
    earlyStoppingPatience: {
      key: 'early_stopping_patience',
      own: true,
      kind: 'number',
      range: COUNT,
      usual: undefined,
      group: 'Validation',
      label: 'Stop early after',
      hint: 'Validations without a better loss; empty: never',
    },
    /** By how much more than this a loss must be better to count. */
    earlyStoppingThreshold: {
      key: 'early_stopping_threshold',
      own: true,
      kind: 'number',
      range: FROM_ZERO,
      usual: 0,
      group: 'Validation',
      label: 'Better by more than',
      hint: 'Of the loss, to count for stopping early',
    },
    /**
     * Answered greedily before the first step, at each evaluation and at the end, to show how answers change. They
     * change no number of the run.
     */
    samplePrompts: {
      key: 'sample_prompts',
      own: true,
      kind: 'texts',
      most: 8,
      longest: 10_000,
      usual: undefined,
      group: 'Validation',
      label: 'Sample prompts',
      hint: 'Answered before the first step, at each validation and at the end: how answers change',
    },
    /** Maximum tokens of an answer to one of them. */
    sampleTokens: {
      key: 'sample_max_new_tokens',
      own: true,
      kind: 'number',
      range: { whole: true, min: 1, max: 256 },
      usual: 64,
      group: 'Validation',
      label: 'Sample answers',
      hint: 'Most tokens of an answer to a sample prompt',
    },
    loggingStrategy: {
      key: 'logging_strategy',
      kind: 'choice',
      choices: STRATEGIES,
      usual: 'steps',
      group: 'Log and checkpoints',
      label: 'Log by',
      hint: 'Steps, each epoch, or never',
    },
    /** Optimizer steps between log entries; below 1 a share of all steps. */
    loggingSteps: {
      key: 'logging_steps',
      kind: 'number',
      range: STEPS,
      default: 10,
      group: 'Log and checkpoints',
      label: 'Log every',
      hint: 'Steps; below 1 a share of all',
    },
    loggingFirstStep: {
      key: 'logging_first_step',
      kind: 'boolean',
      usual: false,
      group: 'Log and checkpoints',
      label: 'Log the first step',
      hint: 'Besides those that are due',
    },
    saveStrategy: {
      key: 'save_strategy',
      kind: 'choice',
      choices: STRATEGIES,
      usual: 'steps',
      group: 'Log and checkpoints',
      label: 'Checkpoint by',
      hint: 'Steps, each epoch, or never',
    },
    /** Optimizer steps between checkpoints; below 1 a share of all steps. */
    saveSteps: {
      key: 'save_steps',
      kind: 'number',
      range: STEPS,
      default: 200,
      group: 'Log and checkpoints',
      label: 'Checkpoint every',
      hint: 'Steps; below 1 a share of all',
    },
    /** 0 for all. */
    saveTotalLimit: {
      key: 'save_total_limit',
      kind: 'number',
      range: { whole: true, min: 0 },
      default: 2,
      none: 0,
      writesNull: true,
      group: 'Log and checkpoints',
      label: 'Checkpoints kept',
      hint: 'Older ones are deleted; 0 keeps all',
    },
  },
  quantization: {
    /** Whether the absmax values are quantized too (double quantization). */
    useDoubleQuant: {
      key: 'bnb_4bit_use_double_quant',
      kind: 'boolean',
      default: true,
      group: 'Base',
      label: 'Double quantization',
      hint: 'Scales in 8 bits: a little smaller',
    },
  },
  model: {
    /** Shown and kept, never decided by. */
    name: {
      key: 'name',
      kind: 'text',
      default: '',
      group: 'Base',
      label: 'Base model name',
      hint: 'Label only; does not affect training',
    },
  },
  lora: {
    r: {
      key: 'r',
      kind: 'number',
      range: COUNT,
      default: 32,
      group: 'New adapter',
      label: 'Rank r',
      hint: 'Size of the adapter',
    },
    loraAlpha: {
      key: 'lora_alpha',
      kind: 'number',
      range: ABOVE_ZERO,
      default: 64,
      group: 'New adapter',
      label: 'Alpha',
      hint: 'Scales the adapter by alpha / r',
    },
    /** A probability. */
    loraDropout: {
      key: 'lora_dropout',
      kind: 'number',
      range: BELOW_ONE,
      default: 0,
      group: 'New adapter',
      label: 'Dropout',
      hint: 'From 0 to below 1',
    },
    useRslora: {
      key: 'use_rslora',
      kind: 'boolean',
      default: false,
      group: 'New adapter',
      label: 'Rank-stabilized',
      hint: 'Scales by alpha / √r instead',
    },
    /** Names or suffixes of names; a text is "all-linear" or a regular expression. */
    targetModules: {
      key: 'target_modules',
      kind: 'names',
      default: PROJECTIONS,
      group: 'New adapter',
      label: 'Modules',
      hint: 'Names with commas, all-linear, or a regular expression',
    },
  },
} as const satisfies Readonly<Record<string, SettingTable<RecipeSetting>>>;

/** The one setting outside the sections: of row order, dropout and fresh adapters; 32 bits. */
export const SEED = {
  key: 'seed',
  kind: 'number',
  range: { whole: true, min: 0, max: 2 ** 32 - 1 },
  default: 42,
  group: 'Optimizer',
  label: 'Seed',
  hint: 'Of row order, dropout and held-back rows',
} as const satisfies RecipeSetting;

/** The sections of training_config.yaml. */
export type RecipeSection = keyof typeof RECIPE;
/** In a file's order. */
export const RECIPE_SECTIONS = [
  'model',
  'lora',
  'quantization',
  'training',
] as const satisfies readonly RecipeSection[];

/** What a new LoRA adapter is made with. */
export type LoraSettings = Settings<typeof RECIPE.lora>;
/** How a run trains. */
export type TrainingSettings = Settings<typeof RECIPE.training>;
