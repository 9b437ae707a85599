// Reference: TensorBoard, tensorboard/webapp/widgets/line_chart_v2/data_transformer.ts (smoothing).
import { csvCell } from '../../formats/csv-cell.ts';

export type Point = readonly [step: number, value: number];

/** A line's points by the union of all lines' steps: null where it has no value. */
export interface Aligned {
  steps: number[];
  columns: (number | null)[][];
}

export function align(lines: readonly (readonly Point[])[]): Aligned {
  const steps = [...new Set(lines.flatMap((points) => points.map(([step]) => step)))].toSorted(
    (a, b) => a - b,
  );
  const columns = lines.map((points) => {
    const values = new Map(points);
    return steps.map((step) => finite(values.get(step)));
  });
  return { steps, columns };
}

const finite = (value: number | undefined): number | null =>
  value !== undefined && Number.isFinite(value) ? value : null;

/** A logarithm has only what is above 0. */
export const aboveZero = (points: readonly Point[]): Point[] => points.filter(([, value]) => value > 0);

/**
 * Exponential moving average with TensorBoard's debiasing: each value is divided by the sum of its weights, so that
 * the line begins at the first value. `weight` is from 0 (the points themselves) to below 1. Values that are not
 * finite stay as they are and weigh nothing.
 */
export function smoothed(points: readonly Point[], weight: number): Point[] {
  let average = 0;
  let debias = 0;
  return points.map(([step, value]): Point => {
    if (!Number.isFinite(value)) {
      return [step, value];
    }
    average = weight * average + (1 - weight) * value;
    debias = weight * debias + (1 - weight);
    return [step, average / debias];
  });
}

/** The texts of an axis' ticks: as many decimals as tell neighbors apart, powers of ten where values are tiny or huge. */
export function tickTexts(ticks: readonly (number | null)[]): string[] {
  const values = ticks.filter((tick) => tick !== null);
  const largest = values.reduce((most, tick) => Math.max(most, Math.abs(tick)), 0);
  const gaps = values.slice(1).map((tick, i) => Math.abs(tick - values[i]!));
  const gap = gaps.reduce((least, distance) => Math.min(least, distance), Infinity);
  const exponential = largest !== 0 && (largest < 1e-3 || largest >= 1e6);
  return ticks.map((tick) => {
    if (tick === null) {
      return '';
    }
    if (tick === 0) {
      return '0';
    }
    if (exponential) {
      return shortest((digits) => tick.toExponential(digits), tick, gap);
    }
    return shortest((digits) => tick.toFixed(digits), tick, gap);
  });
}

/** The shortest text whose value is `tick` to a hundredth of the distance of its neighbors. */
function shortest(write: (digits: number) => string, tick: number, gap: number): string {
  const near = Math.min(gap, Math.abs(tick)) / 100;
  for (let digits = 0; digits < 12; digits++) {
    if (Math.abs(Number(write(digits)) - tick) <= near) {
      return write(digits);
    }
  }
  return write(12);
}

/** Ticks of a linear axis: multiples of 1, 2 or 5 times a power of ten: `most` of them, or one more. */
export function linearTicks(min: number, max: number, most: number): number[] {
  const rough = (max - min) / Math.max(1, most);
  const power = Math.floor(Math.log10(rough));
  const digit = [1, 2, 5, 10].find((one) => one * 10 ** power >= rough) ?? 10;
  // In whole numbers of the increment, so that sums do not drift.
  const [times, over] = power < 0 ? [digit, 10 ** -power] : [digit * 10 ** power, 1];
  const first = Math.ceil((min * over) / times - 1e-9);
  const last = Math.floor((max * over) / times + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => ((first + i) * times) / over);
}

/** Ticks of a logarithmic axis from above 0: those of a linear one within a decade, else 1, 2, 5 or only powers of ten. */
export function logTicks(min: number, max: number, most: number): number[] {
  if (max / min < 10) {
    return linearTicks(min, max, most);
  }
  const powers = Array.from(
    { length: Math.floor(Math.log10(max)) - Math.floor(Math.log10(min)) + 1 },
    (_, i) => i + Math.floor(Math.log10(min)),
  );
  const ticks = (digits: readonly number[]) =>
    powers
      .flatMap((power) => digits.map((digit) => Number(`${digit}e${power}`)))
      .filter((tick) => tick >= min && tick <= max);
  const fine = ticks([1, 2, 5]);
  return fine.length <= most ? fine : ticks([1]);
}

/** 1, 2, 5, 10, 20, …: what steps are counted by on an axis. */
export const STEP_INCREMENTS = Array.from({ length: 10 }, (_, power) =>
  [1, 2, 5].map((digit) => digit * 10 ** power),
).flat();

/** All lines as CSV (RFC 4180), a line for each step; values in full. */
export function chartCsv(lines: readonly { name: string; points: readonly Point[] }[]): string {
  const { steps, columns } = align(lines.map(({ points }) => points));
  const head = ['step', ...lines.map(({ name }) => name)];
  const rows = steps.map((step, i) => [step, ...columns.map((column) => column[i] ?? undefined)]);
  return [head, ...rows].map((row) => `${row.map(csvCell).join(',')}\r\n`).join('');
}

/** Index of the step nearest to `step` in ascending `steps`, which has at least one. */
export function nearestStep(steps: readonly number[], step: number): number {
  const after = steps.findIndex((one) => one >= step);
  if (after <= 0) {
    return after === 0 ? 0 : steps.length - 1;
  }
  return step - steps[after - 1]! < steps[after]! - step ? after - 1 : after;
}

/** The range of `steps` of half the width, or twice, around one of them; undefined for all. */
export function zoomed(
  [low, high]: readonly [number, number],
  all: readonly [number, number],
  around: number,
  factor: 0.5 | 2,
): readonly [number, number] | undefined {
  const width = (high - low) * factor;
  if (width >= all[1] - all[0]) {
    return undefined;
  }
  if (width < 1) {
    return [low, high];
  }
  const share = high > low ? (around - low) / (high - low) : 0.5;
  const begin = Math.min(Math.max(all[0], around - share * width), all[1] - width);
  return [begin, begin + width];
}
