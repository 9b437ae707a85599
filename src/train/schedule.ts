// Reference: transformers, src/transformers/optimization.py (get_scheduler).
import type { SchedulerType } from '../formats/recipe/schedule.ts';

export type { SchedulerType };

export interface Schedule {
  type: SchedulerType;
  /** lr_scheduler_kwargs, by transformers' names. */
  options?: Readonly<Record<string, number>> | undefined;
  /** The peak rate: the recipe's `learning_rate`. */
  learningRate: number;
  /** Optimizer steps of the whole run. */
  maxSteps: number;
  /** Steps of linear warmup; see `warmupSteps`. */
  warmupSteps: number;
}

/** How rows are grouped into micro-batches and steps. */
export interface Grouping {
  rows: number;
  /** per_device_train_batch_size */
  batch: number;
  /** gradient_accumulation_steps */
  accumulation: number;
}

/** Micro-batches of one epoch; the last may be smaller. */
function batchesPerEpoch({ rows, batch }: Grouping): number {
  return Math.ceil(rows / batch);
}

/** Optimizer steps of one epoch; the last may be smaller, nothing carries over into the next epoch. */
export function stepsPerEpoch(grouping: Grouping): number {
  return Math.max(1, Math.ceil(batchesPerEpoch(grouping) / grouping.accumulation));
}

/** Optimizer steps of the run: `steps` if set, otherwise those of the epochs, which may be fractional. */
export function maxSteps(grouping: Grouping, epochs: number, steps?: number): number {
  return steps ?? Math.ceil(epochs * stepsPerEpoch(grouping));
}

/**
 * Warmup steps of a run of `total` steps. `warmup_steps` takes precedence over `warmup_ratio`; below 1 it is itself
 * a ratio, as transformers 5 reads it.
 */
export function warmupSteps(total: number, recipe: { warmupSteps?: number; warmupRatio?: number }): number {
  const steps = recipe.warmupSteps ?? 0;
  if (steps >= 1) {
    return Math.trunc(steps);
  }
  return Math.ceil(total * (steps > 0 ? steps : (recipe.warmupRatio ?? 0)));
}

/** The learning rate of step k (from 1), in f64, as torch's LambdaLR over transformers' schedules gives it. */
export function learningRate(step: number, schedule: Schedule): number {
  return schedule.learningRate * factor(step - 1, schedule);
}

/** The fraction of the peak rate after `done` steps. */
function factor(done: number, schedule: Schedule): number {
  const { type, maxSteps: total, warmupSteps: warmup, options = {}, learningRate: peak } = schedule;
  if (type === 'constant') {
    return 1;
  }
  if (done < warmup) {
    return done / Math.max(1, warmup);
  }
  const progress = (done - warmup) / Math.max(1, total - warmup);
  switch (type) {
    case 'linear':
      return Math.max(0, (total - done) / Math.max(1, total - warmup));
    case 'cosine':
      return Math.max(0, cosine(progress, options.num_cycles));
    case 'cosine_with_min_lr': {
      const least = options.min_lr_rate ?? options.min_lr! / peak;
      return Math.max(0, cosine(progress, options.num_cycles) * (1 - least) + least);
    }
    case 'cosine_with_restarts':
      if (progress >= 1) {
        return 0;
      }
      return Math.max(0, 0.5 * (1 + Math.cos(Math.PI * (((options.num_cycles ?? 1) * progress) % 1))));
    case 'polynomial': {
      const { lr_end: end = 1e-7, power = 1 } = options;
      return ((peak - end) * (1 - (done - warmup) / (total - warmup)) ** power + end) / peak;
    }
    case 'inverse_sqrt': {
      const timescale = options.timescale ?? (warmup || 10_000);
      return 1 / Math.sqrt((done + timescale - warmup) / timescale);
    }
    case 'constant_with_warmup':
      return 1;
  }
}

/** From 1 down to 0 and, with more than half a cycle, up again. */
const cosine = (progress: number, cycles = 0.5): number =>
  0.5 * (1 + Math.cos(Math.PI * cycles * 2 * progress));

/** `epoch` as log_history has it after step k (from 1): whole epochs plus the fraction of micro-batches done. */
export function epochOf(step: number, grouping: Grouping): number {
  const perEpoch = stepsPerEpoch(grouping);
  const batches = batchesPerEpoch(grouping);
  const epoch = Math.floor((step - 1) / perEpoch);
  const done = Math.min(batches, (step - epoch * perEpoch) * grouping.accumulation);
  return epoch + done / batches;
}
