import { Fields, isRecord } from '../fields.ts';

/**
 * The learning-rate schedules, by transformers' names, with the options that each takes in lr_scheduler_kwargs.
 * Reference: transformers, src/transformers/optimization.py.
 */
const OPTIONS = {
  linear: [],
  cosine: ['num_cycles'],
  cosine_with_restarts: ['num_cycles'],
  cosine_with_min_lr: ['num_cycles', 'min_lr', 'min_lr_rate'],
  polynomial: ['lr_end', 'power'],
  inverse_sqrt: ['timescale'],
  constant: [],
  constant_with_warmup: [],
} as const satisfies Record<string, readonly string[]>;

export type SchedulerType = keyof typeof OPTIONS;
export const SCHEDULES = Object.keys(OPTIONS) as readonly SchedulerType[];

export interface ScheduleSettings {
  /** Its peak. */
  readonly learningRate: number;
  /** Share of all steps; counts where `warmupSteps` is 0. */
  readonly warmupRatio: number;
  /** Below 1 itself a share of all steps. */
  readonly warmupSteps: number;
  readonly schedule: SchedulerType;
  /** By transformers' names; left out where there are none. */
  readonly scheduleOptions?: Readonly<Record<string, number>>;
}

/** Reads the schedule under transformers' names. Throws UserError naming the key. */
export function readSchedule(file: Fields, defaults: ScheduleSettings): ScheduleSettings {
  const schedule = file.choice('lr_scheduler_type', SCHEDULES, defaults.schedule);
  const learningRate = file.number('learning_rate', { above: 0 }, defaults.learningRate);
  const options = readOptions(file, schedule, learningRate);
  return {
    learningRate,
    warmupRatio: file.number('warmup_ratio', { min: 0, max: 1 }, defaults.warmupRatio),
    warmupSteps: file.number('warmup_steps', { min: 0 }, defaults.warmupSteps),
    schedule,
    ...(Object.keys(options).length > 0 && { scheduleOptions: options }),
  };
}

function readOptions(file: Fields, schedule: SchedulerType, learningRate: number): Record<string, number> {
  const key = 'lr_scheduler_kwargs';
  const value = file.has(key) ? parsed(file, key) : {};
  const known: readonly string[] = OPTIONS[schedule];
  const given = Object.keys(value);
  const strange = given.find((option) => !known.includes(option));
  if (strange !== undefined) {
    const expected = known.length > 0 ? `only ${known.join(', ')}` : 'none';
    file.refuse(key, `${expected} with the schedule ${schedule}`);
  }
  const options = new Fields(file.file, value, `${file.nameOf(key)}.`);
  const numbers = given
    .filter((option) => options.has(option))
    .map((option) => [option, options.number(option, { min: 0 })] as const);
  const read: Record<string, number> = Object.fromEntries(numbers);
  checkOptions(file, key, schedule, read, learningRate);
  return read;
}

/** What transformers refuses too. */
function checkOptions(
  file: Fields,
  key: string,
  schedule: SchedulerType,
  { min_lr: minLr, min_lr_rate: minLrRate, lr_end: lrEnd = 1e-7, timescale }: Record<string, number>,
  learningRate: number,
): void {
  if (schedule === 'cosine_with_min_lr' && (minLr === undefined) === (minLrRate === undefined))
    file.refuse(key, 'one of min_lr and min_lr_rate with the schedule cosine_with_min_lr');
  if (schedule === 'polynomial' && lrEnd >= learningRate)
    file.refuse(key, `an lr_end below the learning rate (${learningRate})`);
  if (timescale === 0) file.refuse(key, 'a timescale above 0');
}

/** The options, which some files hold as JSON in a text. */
function parsed(file: Fields, key: string): Record<string, unknown> {
  const value = file.value(key);
  if (typeof value !== 'string') return isRecord(value) ? value : file.refuse(key, 'names and numbers');
  try {
    const json: unknown = JSON.parse(value === '' ? '{}' : value);
    if (isRecord(json)) return json;
  } catch {
    // Told below.
  }
  return file.refuse(key, 'names and numbers');
}
