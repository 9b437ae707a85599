import type { Fields } from '../fields.ts';
import { quote } from '../quote.ts';
import { readSchedule, type ScheduleSettings } from './schedule.ts';

/** transformers' names of AdamW with blockwise 8-bit state, as in bitsandbytes. */
const OPTIMIZERS_8BIT = ['paged_adamw_8bit', 'adamw_8bit', 'adamw_bnb_8bit'] as const;
/**
 * And of AdamW with 32-bit state. Weights decay after the update, as in bitsandbytes; torch's decay before it, which
 * differs by learning_rate · weight_decay of an update.
 */
const OPTIMIZERS_32BIT = ['adamw_torch', 'adamw_torch_fused', 'paged_adamw_32bit'] as const;
export const OPTIMIZERS = [...OPTIMIZERS_8BIT, ...OPTIMIZERS_32BIT];

/** When something that is not done by steps is done instead. */
export const STRATEGIES = ['steps', 'epoch', 'no'] as const;
type Strategy = (typeof STRATEGIES)[number];

/**
 * How a run trains. What is optional is left out where it has transformers' usual value, so that a recipe that does
 * not ask for it reads, and hashes, as it always did.
 */
export interface TrainingSettings extends ScheduleSettings {
  /** May be a fraction. */
  readonly epochs: number;
  /** Optimizer steps of the whole run; where it is set, `epochs` does not count. */
  readonly maxSteps?: number;
  /** Rows per micro-batch. */
  readonly batchSize: number;
  readonly evalBatchSize: number;
  /** Micro-batches per optimizer step. */
  readonly accumulationSteps: number;
  readonly optimizer: (typeof OPTIMIZERS)[number];
  /** Decay of the first and second moment, and what is added to the root of the second; ADAM unless set. */
  readonly adamBeta1?: number;
  readonly adamBeta2?: number;
  readonly adamEpsilon?: number;
  readonly weightDecay: number;
  /** L2 norm to which gradients are clipped; 0 for no clipping. */
  readonly maxGradNorm: number;
  /** Optimizer steps between log entries; below 1 a share of all steps. */
  readonly loggingSteps: number;
  readonly loggingStrategy?: Exclude<Strategy, 'steps'>;
  /** Log the first step too. */
  readonly loggingFirstStep?: true;
  /** Optimizer steps between checkpoints; below 1 a share of all steps. */
  readonly saveSteps: number;
  readonly saveStrategy?: Exclude<Strategy, 'steps'>;
  /** Checkpoints kept; 0 for all. */
  readonly saveTotalLimit: number;
  /** Optimizer steps between evaluations; below 1 a share of all steps. */
  readonly evalSteps: number;
  readonly evalStrategy?: Exclude<Strategy, 'steps'>;
  /** Evaluate before the first step too. */
  readonly evalOnStart?: true;
  /** Rows held back from the training data to evaluate on: a share below 1, or a number. */
  readonly valSize?: number;
  /** Train on the first so many rows of the file only. */
  readonly maxTrainSamples?: number;
  /** Evaluate on the first so many rows only. */
  readonly maxEvalSamples?: number;
  /** The result is the checkpoint with the best metric, not the last step. */
  readonly loadBestModelAtEnd?: true;
  /** Both names are of the one metric that there is. */
  readonly metricForBestModel?: (typeof METRICS)[number];
  readonly greaterIsBetter?: true;
  /** Rows share sequences of `maxLength` tokens, without seeing each other, and batches count these. */
  readonly packing?: true;
  /** Tokens at which a row is cut; Infinity for no cut. */
  readonly maxLength: number;
}

export const METRICS = ['loss', 'eval_loss'] as const;
/** The usual decays and epsilon of AdamW. */
export const ADAM = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } as const;

/** Bits of each of the optimizer's two moments. */
export const stateBits = ({ optimizer }: Pick<TrainingSettings, 'optimizer'>): 8 | 32 =>
  (OPTIMIZERS_32BIT as readonly string[]).includes(optimizer) ? 32 : 8;

/** What a tool does where its file is silent; without `evalSteps`, as often as it saves. */
export type TrainingDefaults = Omit<TrainingSettings, 'evalSteps'> & { readonly evalSteps?: number };

const COUNT = { whole: true, min: 1 } as const;
const FROM_ZERO = { min: 0 } as const;
const ABOVE_ZERO = { above: 0 } as const;
const BETA = { min: 0, below: 1 } as const;
/** Steps between two times, or a share of all. */
export const STEPS = { above: 0, wholeAbove: 1 } as const;
/** Rows held back, or a share of all. */
export const VAL_SIZE = { min: 0, wholeAbove: 1 } as const;

/** Reads the settings under transformers' names, as the file calls them. Throws UserError naming the key. */
export function readTraining(file: Fields, defaults: TrainingDefaults): TrainingSettings {
  const log = readCadence(file, 'logging', defaults.loggingSteps, defaults.loggingStrategy);
  const save = readCadence(file, 'save', defaults.saveSteps, defaults.saveStrategy);
  const evaluate = readCadence(file, 'eval', defaults.evalSteps ?? save.steps, defaults.evalStrategy);
  const maxLength = readMaxLength(file, defaults.maxLength);
  const settings = {
    epochs: file.number('num_train_epochs', ABOVE_ZERO, defaults.epochs),
    maxSteps: readMaxSteps(file),
    batchSize: file.number('per_device_train_batch_size', COUNT, defaults.batchSize),
    evalBatchSize: file.number('per_device_eval_batch_size', COUNT, defaults.evalBatchSize),
    accumulationSteps: file.number('gradient_accumulation_steps', COUNT, defaults.accumulationSteps),
    optimizer: file.choice('optim', OPTIMIZERS, defaults.optimizer),
    adamBeta1: unless(ADAM.beta1, file.number('adam_beta1', BETA, ADAM.beta1)),
    adamBeta2: unless(ADAM.beta2, file.number('adam_beta2', BETA, ADAM.beta2)),
    adamEpsilon: unless(ADAM.epsilon, file.number('adam_epsilon', ABOVE_ZERO, ADAM.epsilon)),
    ...readSchedule(file, defaults),
    weightDecay: file.number('weight_decay', FROM_ZERO, defaults.weightDecay),
    maxGradNorm: orNone(file, 'max_grad_norm', 0, () =>
      file.number('max_grad_norm', FROM_ZERO, defaults.maxGradNorm),
    ),
    loggingSteps: log.steps,
    loggingStrategy: unless('steps', log.strategy),
    loggingFirstStep: flag(file, 'logging_first_step', defaults.loggingFirstStep),
    saveSteps: save.steps,
    saveStrategy: unless('steps', save.strategy),
    saveTotalLimit: readSaveTotalLimit(file, defaults.saveTotalLimit),
    evalSteps: evaluate.steps,
    evalStrategy: unless('steps', evaluate.strategy),
    evalOnStart: flag(file, 'eval_on_start', defaults.evalOnStart),
    valSize: readValSize(file),
    maxTrainSamples: optionalCount(file, 'max_train_samples'),
    maxEvalSamples: optionalCount(file, 'max_eval_samples'),
    ...readBest(file, save, evaluate),
    packing: readPacking(file, maxLength),
    maxLength,
  };
  return withoutUndefined(settings);
}

/** The settings under transformers' names, for a file that `readTraining` reads back to the same. */
export function trainingKeys(settings: TrainingSettings): Record<string, unknown> {
  const { maxLength } = settings;
  return withoutUndefined({
    num_train_epochs: settings.epochs,
    max_steps: settings.maxSteps,
    per_device_train_batch_size: settings.batchSize,
    per_device_eval_batch_size: settings.evalBatchSize,
    gradient_accumulation_steps: settings.accumulationSteps,
    optim: settings.optimizer,
    adam_beta1: settings.adamBeta1,
    adam_beta2: settings.adamBeta2,
    adam_epsilon: settings.adamEpsilon,
    learning_rate: settings.learningRate,
    weight_decay: settings.weightDecay,
    warmup_ratio: settings.warmupRatio,
    warmup_steps: settings.warmupSteps,
    lr_scheduler_type: settings.schedule,
    lr_scheduler_kwargs: settings.scheduleOptions,
    max_grad_norm: settings.maxGradNorm,
    logging_strategy: settings.loggingStrategy,
    logging_steps: settings.loggingSteps,
    logging_first_step: settings.loggingFirstStep,
    save_strategy: settings.saveStrategy,
    save_steps: settings.saveSteps,
    save_total_limit: settings.saveTotalLimit === 0 ? null : settings.saveTotalLimit,
    eval_strategy: settings.evalStrategy,
    eval_steps: settings.evalSteps,
    eval_on_start: settings.evalOnStart,
    val_size: settings.valSize,
    max_train_samples: settings.maxTrainSamples,
    max_eval_samples: settings.maxEvalSamples,
    load_best_model_at_end: settings.loadBestModelAtEnd,
    metric_for_best_model: settings.metricForBestModel,
    greater_is_better: settings.greaterIsBetter,
    packing: settings.packing,
    max_seq_length: maxLength === Infinity ? null : maxLength,
  });
}

interface StepsRead {
  readonly key: string;
  readonly strategy: Strategy;
  readonly steps: number;
}

/** How often: steps, and whether it goes by them at all. */
function readCadence(
  file: Fields,
  kind: 'logging' | 'save' | 'eval',
  steps: number,
  strategy: Strategy = 'steps',
): StepsRead {
  const key = `${kind}_steps`;
  // Before transformers 4.46 it had a longer name.
  const named = kind === 'eval' && !file.has('eval_strategy') ? 'evaluation_strategy' : `${kind}_strategy`;
  // YAML 1.1 reads an unquoted no as false.
  const read = file.value(named) === false ? 'no' : file.choice(named, STRATEGIES, strategy);
  return { key, strategy: read, steps: file.number(key, STEPS, steps) };
}

/** As in transformers, -1 and 0 say that the epochs count. */
function readMaxSteps(file: Fields): number | undefined {
  const steps = file.number('max_steps', { whole: true, min: -1 }, -1);
  return steps > 0 ? steps : undefined;
}

/** As in transformers, none and 0 keep all. */
function readSaveTotalLimit(file: Fields, fallback: number): number {
  return orNone(file, 'save_total_limit', 0, () =>
    file.number('save_total_limit', { whole: true, min: 0 }, fallback),
  );
}

function readValSize(file: Fields): number | undefined {
  return unless(0, file.number('val_size', VAL_SIZE, 0));
}

function readMaxLength(file: Fields, fallback: number): number {
  const keys = ['max_seq_length', 'max_length'].filter((key) => file.value(key) !== undefined);
  const [key = 'max_seq_length', other] = keys;
  if (other !== undefined && file.value(other) !== file.value(key))
    file.refuse(other, `the same as ${file.nameOf(key)} (${quote(file.value(key))}), which means the same`);
  return orNone(file, key, Infinity, () => file.number(key, { whole: true, min: 2 }, fallback));
}

function readPacking(file: Fields, maxLength: number): true | undefined {
  const packing = flag(file, 'packing', undefined);
  if (packing && maxLength === Infinity)
    file.refuse('packing', 'false, since there is no length to pack rows into');
  return packing;
}

/** What makes the result the best checkpoint; the rules for it are the Trainer's. */
function readBest(file: Fields, save: StepsRead, evaluate: StepsRead) {
  const loadBest = file.boolean('load_best_model_at_end', false);
  const metric = file.has('metric_for_best_model')
    ? file.choice('metric_for_best_model', METRICS)
    : undefined;
  const greater = file.boolean('greater_is_better', false);
  if (loadBest) {
    const because = 'since load_best_model_at_end is on';
    if (evaluate.strategy === 'no') file.refuse('eval_strategy', `steps or epoch, ${because}`);
    if (save.strategy !== evaluate.strategy)
      file.refuse('save_strategy', `${evaluate.strategy} like eval_strategy, ${because}`);
    if (save.strategy === 'steps' && !isMultiple(save.steps, evaluate.steps))
      file.refuse(save.key, `a multiple of ${file.nameOf(evaluate.key)} (${evaluate.steps}), ${because}`);
  }
  return {
    loadBestModelAtEnd: loadBest || undefined,
    metricForBestModel: metric,
    greaterIsBetter: (greater && (loadBest || metric !== undefined)) || undefined,
  };
}

/** Shares of all steps are compared in millionths, as in transformers; a share and a count do not compare. */
function isMultiple(steps: number, of: number): boolean {
  if (steps % of === 0) return true;
  if (steps >= 1 || of >= 1) return false;
  return (steps * 1e6) % (of * 1e6) === 0;
}

function optionalCount(file: Fields, key: string): number | undefined {
  return file.has(key) ? file.number(key, COUNT) : undefined;
}

function flag(file: Fields, key: string, fallback: true | undefined): true | undefined {
  return file.boolean(key, fallback ?? false) || undefined;
}

/** `none` where the file says null, which is not the same as leaving the key out. */
function orNone(file: Fields, key: string, none: number, read: () => number): number {
  return file.isNull(key) ? none : read();
}

function unless<T, U extends T>(usual: U, value: T): Exclude<T, U> | undefined {
  return value === usual ? undefined : (value as Exclude<T, U>);
}

function withoutUndefined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined)) as never;
}
