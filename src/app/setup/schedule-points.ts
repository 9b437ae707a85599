import type { Recipe } from '../../formats/recipe.ts';
import { learningRate, type Schedule, warmupSteps } from '../../train/schedule.ts';

/** Points at most: more than a plot has pixels. */
const MAX_POINTS = 500;

/** The learning rates of a run of `maxSteps`, as it will train: every step, or evenly spaced ones, the ends of warmup and run among them. */
export function schedulePoints(
  training: Recipe['training'],
  maxSteps: number,
): (readonly [step: number, rate: number])[] {
  const schedule: Schedule = {
    type: training.schedule,
    options: training.scheduleOptions,
    learningRate: training.learningRate,
    maxSteps,
    warmupSteps: warmupSteps(maxSteps, training),
  };
  const every = Math.ceil(maxSteps / MAX_POINTS);
  const steps = new Set(Array.from({ length: Math.ceil(maxSteps / every) }, (_, i) => 1 + i * every));
  for (const step of [schedule.warmupSteps, schedule.warmupSteps + 1, maxSteps]) {
    if (step >= 1 && step <= maxSteps) {
      steps.add(step);
    }
  }
  return [...steps]
    .toSorted((a, b) => a - b)
    .map((step) => [step, learningRate(step, schedule)] as const)
    .filter(([, rate]) => Number.isFinite(rate));
}
