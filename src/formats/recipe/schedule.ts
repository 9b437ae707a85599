import type { Fields } from '../fields.ts';
import { recordIn } from '../setting.ts';

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

/**
 * Refuses options that a schedule does not take, or not together, as transformers does. `options` were read from `file`
 * under `key`. Throws UserError naming it.
 */
export function checkScheduleOptions(
  file: Fields,
  key: string,
  schedule: SchedulerType,
  options: Readonly<Record<string, number>>,
  learningRate: number,
): void {
  const known: readonly string[] = OPTIONS[schedule];
  if (Object.keys(recordIn(file, key)).some((option) => !known.includes(option))) {
    const expected = known.length > 0 ? `only ${known.join(', ')}` : 'none';
    file.refuse(key, `${expected} with the schedule ${schedule}`);
  }
  const { min_lr: minLr, min_lr_rate: minLrRate, lr_end: lrEnd = 1e-7, timescale } = options;
  if (schedule === 'cosine_with_min_lr' && (minLr === undefined) === (minLrRate === undefined)) {
    file.refuse(key, 'one of min_lr and min_lr_rate with the schedule cosine_with_min_lr');
  }
  if (schedule === 'polynomial' && lrEnd >= learningRate) {
    file.refuse(key, `an lr_end below the learning rate (${learningRate})`);
  }
  if (timescale === 0) {
    file.refuse(key, 'a timescale above 0');
  }
}
