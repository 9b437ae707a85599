import { type LoraSettings, refuseVariants, UNSUPPORTED } from './adapter-config.ts';
import { PROJECTIONS } from './decoder-weights.ts';
import { Fields } from './fields.ts';
import { parseYaml, writeYaml } from './yaml.ts';

/** A training configuration: what training_config.yaml says, with the recipe's values where it is silent. */
export interface Recipe {
  readonly model: {
    /** Shown and kept, never decided by. */
    readonly name: string;
  };
  readonly lora: LoraSettings;
  readonly quantization: {
    /** Whether the absmax values are quantised themselves. */
    readonly useDoubleQuant: boolean;
  };
  readonly training: TrainingSettings;
  /** Of row order, dropout and fresh adapters; 32 bits. */
  readonly seed: number;
  /** Keys without an effect here, by their dotted path: kept for rewriting. */
  readonly rest: Readonly<Record<string, unknown>>;
}

/** transformers' names of the one optimizer there is, blockwise 8-bit AdamW. */
const OPTIMIZERS = ['paged_adamw_8bit', 'adamw_8bit', 'adamw_bnb_8bit'] as const;

const SCHEDULES = ['linear', 'cosine', 'constant', 'constant_with_warmup'] as const;

export interface TrainingSettings {
  /** May be a fraction. */
  readonly epochs: number;
  /** Rows per micro-batch. */
  readonly batchSize: number;
  readonly evalBatchSize: number;
  /** Micro-batches per optimizer step. */
  readonly accumulationSteps: number;
  readonly optimizer: (typeof OPTIMIZERS)[number];
  readonly learningRate: number;
  readonly weightDecay: number;
  /** Share of all steps; counts where `warmupSteps` is 0. */
  readonly warmupRatio: number;
  readonly warmupSteps: number;
  readonly schedule: (typeof SCHEDULES)[number];
  /** L2 norm to which gradients are clipped. */
  readonly maxGradNorm: number;
  /** Optimizer steps between log entries. */
  readonly loggingSteps: number;
  readonly saveSteps: number;
  /** Checkpoints kept. */
  readonly saveTotalLimit: number;
  readonly evalSteps: number;
  /** Evaluate on the first so many rows only. */
  readonly maxEvalSamples?: number;
  /** Tokens at which a row is cut. */
  readonly maxLength: number;
}

const COUNT = { whole: true, min: 1 } as const;
const FROM_ZERO = { min: 0 } as const;

/** Keys of the recipe that mean nothing here, or nothing with the values that are let through: kept without a warning. */
const COMPATIBLE: ReadonlySet<string> = new Set([
  'model.cache_dir',
  'quantization.bnb_4bit_compute_dtype',
  'training.gradient_checkpointing',
  'training.fp16',
  'training.bf16',
  'lora.bias',
  ...UNSUPPORTED.map((key) => `lora.${key}`),
]);
const SECTIONS = ['model', 'lora', 'quantization', 'training'] as const;

/**
 * Reads training_config.yaml; `warnings` has a sentence for every key that is not known. Throws UserError naming the
 * file and the key or line.
 */
export function parseRecipe(text: string, file: string): { recipe: Recipe; warnings: string[] } {
  const top = new Fields(file, parseYaml(text, file) ?? {});
  const [model, lora, quantization, training] = SECTIONS.map((key) => top.section(key)) as [
    Fields,
    Fields,
    Fields,
    Fields,
  ];
  if (!quantization.boolean('load_in_4bit', true)) {
    quantization.refuse('load_in_4bit', 'true, since the base is always kept in 4 bits');
  }
  quantization.choice('bnb_4bit_quant_type', ['nf4'], 'nf4');
  const known = {
    model: { name: model.string('name', '') },
    lora: readLora(lora),
    quantization: { useDoubleQuant: quantization.boolean('bnb_4bit_use_double_quant', true) },
    training: readTraining(training),
    seed: top.number('seed', { whole: true, min: 0, max: 2 ** 32 - 1 }, 42),
  };
  const unasked = [top, model, lora, quantization, training].flatMap((fields) => fields.unasked());
  const warnings = unasked
    .filter(([path]) => !COMPATIBLE.has(path))
    .map(([path]) => `${file}: ${path} is not known and has no effect.`);
  return { recipe: { ...known, rest: Object.fromEntries(unasked) }, warnings };
}

/** The recipe's own values, as an empty file would give them. */
export function defaultRecipe(): Recipe {
  return parseRecipe('', 'training_config.yaml').recipe;
}

/** A training_config.yaml that `parseRecipe` reads back to the same recipe, keys without an effect included. */
export function recipeToYaml({ model, lora, quantization, training, seed, rest }: Recipe): string {
  const sections: Record<string, Record<string, unknown>> = {
    model: { name: model.name },
    lora: {
      r: lora.r,
      lora_alpha: lora.loraAlpha,
      lora_dropout: lora.loraDropout,
      use_rslora: lora.useRslora,
      target_modules: lora.targetModules,
    },
    quantization: {
      load_in_4bit: true,
      bnb_4bit_quant_type: 'nf4',
      bnb_4bit_use_double_quant: quantization.useDoubleQuant,
    },
    training: {
      num_train_epochs: training.epochs,
      per_device_train_batch_size: training.batchSize,
      per_device_eval_batch_size: training.evalBatchSize,
      gradient_accumulation_steps: training.accumulationSteps,
      optim: training.optimizer,
      learning_rate: training.learningRate,
      weight_decay: training.weightDecay,
      warmup_ratio: training.warmupRatio,
      warmup_steps: training.warmupSteps,
      lr_scheduler_type: training.schedule,
      max_grad_norm: training.maxGradNorm,
      logging_steps: training.loggingSteps,
      save_steps: training.saveSteps,
      save_total_limit: training.saveTotalLimit,
      eval_steps: training.evalSteps,
      ...(training.maxEvalSamples === undefined ? {} : { max_eval_samples: training.maxEvalSamples }),
      max_seq_length: training.maxLength,
    },
  };
  const top: Record<string, unknown> = { ...sections, seed };
  for (const [path, value] of Object.entries(rest)) {
    const section = SECTIONS.find((name) => path.startsWith(`${name}.`));
    if (section) sections[section]![path.slice(section.length + 1)] = value;
    else top[path] = value;
  }
  return writeYaml(top);
}

function readLora(lora: Fields): LoraSettings {
  refuseVariants(lora);
  return {
    r: lora.number('r', COUNT, 32),
    loraAlpha: lora.number('lora_alpha', { above: 0 }, 64),
    loraDropout: lora.number('lora_dropout', { min: 0, below: 1 }, 0),
    useRslora: lora.boolean('use_rslora', false),
    targetModules: lora.names('target_modules', PROJECTIONS),
  };
}

function readTraining(training: Fields): TrainingSettings {
  const saveSteps = training.number('save_steps', COUNT, 200);
  const lengthKey = training.has('max_seq_length') ? 'max_seq_length' : 'max_length';
  return {
    epochs: training.number('num_train_epochs', { above: 0 }, 2),
    batchSize: training.number('per_device_train_batch_size', COUNT, 1),
    evalBatchSize: training.number('per_device_eval_batch_size', COUNT, 1),
    accumulationSteps: training.number('gradient_accumulation_steps', COUNT, 16),
    optimizer: training.choice('optim', OPTIMIZERS, 'paged_adamw_8bit'),
    learningRate: training.number('learning_rate', { above: 0 }, 5e-5),
    weightDecay: training.number('weight_decay', FROM_ZERO, 0),
    warmupRatio: training.number('warmup_ratio', { min: 0, max: 1 }, 0),
    warmupSteps: training.number('warmup_steps', { whole: true, min: 0 }, 0),
    schedule: training.choice('lr_scheduler_type', SCHEDULES, 'linear'),
    maxGradNorm: training.number('max_grad_norm', { above: 0 }, 1),
    loggingSteps: training.number('logging_steps', COUNT, 10),
    saveSteps,
    saveTotalLimit: training.number('save_total_limit', COUNT, 2),
    evalSteps: training.number('eval_steps', COUNT, saveSteps),
    ...(training.has('max_eval_samples')
      ? { maxEvalSamples: training.number('max_eval_samples', COUNT) }
      : {}),
    maxLength: training.number(lengthKey, { whole: true, min: 2 }, 2048),
  };
}
