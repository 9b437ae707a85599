import { describe, expect, it } from 'vitest';
import {
  aboveZero,
  align,
  chartCsv,
  linearTicks,
  logTicks,
  nearestStep,
  type Point,
  smoothed,
  STEP_INCREMENTS,
  tickTexts,
  zoomed,
} from '../../../src/app/elements/chart-data.ts';

const values = (points: readonly Point[]) => points.map(([, value]) => value);

describe('smoothed', () => {
  const points = [3, -1, 4, 1, -5, 9].map((value, i): Point => [10 * i, value]);

  it.each([0, 0.3, 0.6, 0.97])('is the average of what came, each weighing %d of the next', (weight) => {
    const expected = points.map((_, n) => {
      const weights = points.slice(0, n + 1).map((_, i) => weight ** (n - i));
      const total = weights.reduce((a, b) => a + b, 0);
      return weights.reduce((sum, w, i) => sum + w * points[i]![1], 0) / total;
    });
    values(smoothed(points, weight)).forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 12));
  });

  it("is TensorBoard's, which begins at the first value and passes over what is not finite", () => {
    const found = smoothed(
      [
        [1, 2],
        [2, NaN],
        [3, 4],
      ],
      0.5,
    );
    expect(found[0]).toEqual([1, 2]);
    expect(found[1]![1]).toBeNaN();
    // (0.5 · (0.5 · 2) + 0.5 · 4) / (1 − 0.5²)
    expect(found[2]).toEqual([3, 2.5 / 0.75]);
  });
});

describe('align', () => {
  it('puts lines over the union of their steps', () => {
    expect(
      align([
        [
          [2, 5],
          [1, 4],
        ],
        [
          [3, 6],
          [1, NaN],
        ],
      ]),
    ).toEqual({
      steps: [1, 2, 3],
      columns: [
        [4, 5, null],
        [null, null, 6],
      ],
    });
  });

  it('leaves to a logarithm what is above 0', () => {
    expect(
      aboveZero([
        [1, 0],
        [2, 1e-9],
        [3, -1],
      ]),
    ).toEqual([[2, 1e-9]]);
  });
});

describe('ticks', () => {
  it.each([
    [
      [0.8, 1, 1.2, 1.4],
      ['0.8', '1', '1.2', '1.4'],
    ],
    [
      [0, 0.5, 1],
      ['0', '0.5', '1'],
    ],
    [
      [2.1234, 2.1235, 2.1236],
      ['2.1234', '2.1235', '2.1236'],
    ],
    [
      [0, 1e-5, 2e-5, 5e-5],
      ['0', '1e-5', '2e-5', '5e-5'],
    ],
    [
      [1.25e-5, 1.5e-5],
      ['1.25e-5', '1.5e-5'],
    ],
    [
      [1e6, 2e6],
      ['1e+6', '2e+6'],
    ],
    [
      [0.1, null, 1, 10],
      ['0.1', '', '1', '10'],
    ],
    [
      [100, 200],
      ['100', '200'],
    ],
    [[], []],
  ] as const)('of %j are told apart', (ticks, texts) => {
    expect(tickTexts(ticks)).toEqual(texts);
  });

  it('are round numbers, and no more than fit', () => {
    expect(linearTicks(0.93, 1.68, 5)).toEqual([1, 1.2, 1.4, 1.6]);
    expect(linearTicks(0.1, 0.35, 5)).toEqual([0.1, 0.15, 0.2, 0.25, 0.3, 0.35]);
    expect(linearTicks(-3, 480, 5)).toEqual([0, 100, 200, 300, 400]);
    expect(linearTicks(5, 5, 5)).toEqual([]);
  });

  it('of a logarithmic axis are dense within a decade and sparse over many', () => {
    expect(logTicks(0.93, 1.68, 5)).toEqual([1, 1.2, 1.4, 1.6]);
    expect(logTicks(0.03, 4, 8)).toEqual([0.05, 0.1, 0.2, 0.5, 1, 2]);
    expect(logTicks(3e-7, 2, 8)).toEqual([1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 1]);
  });

  it('count steps in whole numbers, in runs of any length', () => {
    expect(STEP_INCREMENTS.slice(0, 5)).toEqual([1, 2, 5, 10, 20]);
    expect(STEP_INCREMENTS.at(-1)).toBe(5e9);
    expect(STEP_INCREMENTS.every((increment) => Number.isInteger(increment))).toBe(true);
  });
});

it('writes all lines as CSV, foreign names included', () => {
  const csv = chartCsv([
    {
      name: '=1+1, "x"',
      points: [
        [1, 0.1 + 0.2],
        [2, NaN],
      ],
    },
    { name: 'eval', points: [[2, 5e-5]] },
  ]);
  expect(csv).toBe('step,"\'=1+1, ""x""",eval\r\n1,0.30000000000000004,\r\n2,,0.00005\r\n');
});

it('finds the step that is nearest', () => {
  const steps = [1, 5, 10];
  expect([0, 2, 3, 4, 8, 99].map((step) => steps[nearestStep(steps, step)])).toEqual([1, 1, 5, 5, 10, 10]);
});

describe('zoomed', () => {
  it('halves and doubles around a step, within all', () => {
    expect(zoomed([0, 100], [0, 100], 20, 0.5)).toEqual([10, 60]);
    expect(zoomed([0, 100], [0, 100], 0, 0.5)).toEqual([0, 50]);
    expect(zoomed([80, 100], [0, 100], 100, 2)).toEqual([60, 100]);
    expect(zoomed([10, 70], [0, 100], 20, 2)).toBeUndefined();
    expect(zoomed([10, 11], [0, 100], 10, 0.5)).toEqual([10, 11]);
  });
});
