import type { Fields } from '../fields.ts';
import { readSetting, readSettings, settingKeys } from '../setting.ts';
import { checkScheduleOptions } from './schedule.ts';
import { OPTIMIZERS_32BIT, RECIPE, type TrainingSettings } from './settings.ts';

const { training: TABLE } = RECIPE;

/** Bits of each of the optimizer's two moments. */
export const stateBits = ({ optimizer }: Pick<TrainingSettings, 'optimizer'>): 8 | 32 =>
  (OPTIMIZERS_32BIT as readonly string[]).includes(optimizer) ? 32 : 8;

/** What a tool does where its file is silent; Retune's own values for what is not said. */
export type TrainingDefaults = Partial<TrainingSettings>;

/** Reads the settings under transformers' names, as the file calls them. Throws UserError naming the key. */
export function readTraining(file: Fields, defaults: TrainingDefaults = {}): TrainingSettings {
  const evalSteps = readSetting(file, TABLE.saveSteps, defaults.saveSteps) as number;
  const settings = readSettings(file, TABLE, { evalSteps, ...defaults });
  const { schedule, scheduleOptions = {}, learningRate, packing, maxLength } = settings;
  checkScheduleOptions(file, TABLE.scheduleOptions.key, schedule, scheduleOptions, learningRate);
  if (packing && maxLength === Infinity) {
    file.refuse('packing', 'false, since there is no length to pack rows into');
  }
  checkBest(file, settings);
  if (settings.earlyStoppingPatience !== undefined && settings.evalStrategy === 'no') {
    file.refuse('eval_strategy', 'steps or epoch, since early_stopping_patience is set');
  }
  const { greaterIsBetter, ...others } = settings;
  return greaterIsBetter && !tracksBest(settings) ? others : settings;
}

/** Whether the run keeps track of its best evaluation as transformers' Trainer does. */
export const tracksBest = (settings: TrainingSettings): boolean =>
  settings.loadBestModelAtEnd === true ||
  settings.metricForBestModel !== undefined ||
  settings.earlyStoppingPatience !== undefined;

/** The rules of the Trainer for a result that is the best checkpoint. */
function checkBest(file: Fields, settings: TrainingSettings): void {
  if (!settings.loadBestModelAtEnd) {
    return;
  }
  const { evalStrategy = 'steps', evalSteps, saveStrategy = 'steps', saveSteps } = settings;
  const because = 'since load_best_model_at_end is on';
  if (evalStrategy === 'no') {
    file.refuse('eval_strategy', `steps or epoch, ${because}`);
  }
  if (saveStrategy !== evalStrategy) {
    file.refuse('save_strategy', `${evalStrategy} like eval_strategy, ${because}`);
  }
  if (saveStrategy === 'steps' && !isMultiple(saveSteps, evalSteps)) {
    file.refuse('save_steps', `a multiple of ${file.nameOf('eval_steps')} (${evalSteps}), ${because}`);
  }
}

/** Shares of all steps are compared in millionths, as in transformers; a share and a count do not compare. */
function isMultiple(steps: number, of: number): boolean {
  if (steps % of === 0) {
    return true;
  }
  if (steps >= 1 || of >= 1) {
    return false;
  }
  return (steps * 1e6) % (of * 1e6) === 0;
}

/**
 * The keys in the order in which the first versions wrote them: a run is known by the hash of this text. Later ones
 * follow in the table's order.
 */
const WRITTEN_FIRST = [
  'num_train_epochs',
  'max_steps',
  'per_device_train_batch_size',
  'per_device_eval_batch_size',
  'gradient_accumulation_steps',
  'optim',
  'adam_beta1',
  'adam_beta2',
  'adam_epsilon',
  'learning_rate',
  'weight_decay',
  'warmup_ratio',
  'warmup_steps',
  'lr_scheduler_type',
  'lr_scheduler_kwargs',
  'max_grad_norm',
  'logging_strategy',
  'logging_steps',
  'logging_first_step',
  'save_strategy',
  'save_steps',
  'save_total_limit',
  'eval_strategy',
  'eval_steps',
  'eval_on_start',
  'val_size',
  'max_train_samples',
  'max_eval_samples',
  'load_best_model_at_end',
  'metric_for_best_model',
  'greater_is_better',
  'packing',
  'max_seq_length',
];

/** The settings under transformers' names, for a file that `readTraining` reads back to the same. */
export function trainingKeys(settings: TrainingSettings): Record<string, unknown> {
  const keys = settingKeys(TABLE, settings);
  const first = WRITTEN_FIRST.filter((key) => Object.hasOwn(keys, key)).map(
    (key) => [key, keys[key]] as const,
  );
  return { ...Object.fromEntries(first), ...keys };
}
