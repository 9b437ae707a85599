import { expect, it } from 'vitest';
import { schedulePoints } from '../../../src/app/setup/schedule-points.ts';
import { defaultRecipe } from '../../../src/formats/recipe.ts';

const training = {
  ...defaultRecipe().training,
  learningRate: 1e-4,
  schedule: 'linear',
  warmupSteps: 3,
} as const;

it('is the rate of every step of a short run', () => {
  const points = schedulePoints(training, 6);
  expect(points.map(([step]) => step)).toEqual([1, 2, 3, 4, 5, 6]);
  const rates = [0, 1 / 3, 2 / 3, 1, 2 / 3, 1 / 3];
  points.forEach(([, rate], i) => expect(rate).toBeCloseTo(1e-4 * rates[i]!, 15));
});

it('keeps the peak and the ends of a long one', () => {
  const points = schedulePoints({ ...training, warmupSteps: 1234 }, 100_000);
  expect(points.length).toBeLessThan(510);
  expect(points[0]![0]).toBe(1);
  expect(points.at(-1)![0]).toBe(100_000);
  expect(points.find(([step]) => step === 1235)![1]).toBe(1e-4);
});
