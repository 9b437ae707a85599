/** The learning-rate schedules of the recipe, by transformers' names. */
export const SCHEDULER_TYPES = ['linear', 'cosine', 'constant', 'constant_with_warmup'] as const;
export type SchedulerType = (typeof SCHEDULER_TYPES)[number];

export interface Schedule {
  type: SchedulerType;
  /** The peak rate, `learning_rate` of the recipe. */
  learningRate: number;
  /** Optimizer steps of the whole run. */
  maxSteps: number;
  /** Steps of linear warmup, see `warmupSteps`. */
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

/** Optimizer steps of the run; `epochs` may be fractional. */
export function maxSteps(grouping: Grouping, epochs: number): number {
  return Math.ceil(epochs * stepsPerEpoch(grouping));
}

/**
 * Warmup steps of a run of `total` steps. `warmup_steps` wins over `warmup_ratio`; below 1 it is itself a ratio,
 * as transformers 5 reads it.
 */
export function warmupSteps(total: number, recipe: { warmupSteps?: number; warmupRatio?: number }): number {
  const steps = recipe.warmupSteps ?? 0;
  if (steps >= 1) return Math.trunc(steps);
  return Math.ceil(total * (steps > 0 ? steps : (recipe.warmupRatio ?? 0)));
}

/** The learning rate of step k, counted from 1; f64, as torch's LambdaLR over transformers' schedules. */
export function learningRate(step: number, schedule: Schedule): number {
  return schedule.learningRate * factor(step - 1, schedule);
}

function factor(done: number, { type, maxSteps: total, warmupSteps: warmup }: Schedule): number {
  if (type === 'constant') return 1;
  if (done < warmup) return done / Math.max(1, warmup);
  const span = Math.max(1, total - warmup);
  switch (type) {
    case 'linear':
      return Math.max(0, (total - done) / span);
    case 'cosine':
      return Math.max(0, 0.5 * (1 + Math.cos(Math.PI * ((done - warmup) / span))));
    case 'constant_with_warmup':
      return 1;
  }
}

/** `epoch` as log_history has it after step k (from 1): whole epochs plus the share of micro-batches done. */
export function epochOf(step: number, grouping: Grouping): number {
  const perEpoch = stepsPerEpoch(grouping);
  const batches = batchesPerEpoch(grouping);
  const epoch = Math.floor((step - 1) / perEpoch);
  const done = Math.min(batches, (step - epoch * perEpoch) * grouping.accumulation);
  return epoch + done / batches;
}
