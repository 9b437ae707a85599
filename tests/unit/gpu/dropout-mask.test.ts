import { describe, expect, it } from 'vitest';
import {
  dropoutKeep,
  dropoutKey,
  dropoutThreshold,
  moduleKey,
} from '../../../src/gpu/kernels/lora/dropout-mask.ts';

interface Place {
  seed: number;
  epoch: number;
  row: number;
  layer: number;
  projection: number;
  position: number;
  feature: number;
}

const origin: Place = { seed: 42, epoch: 0, row: 0, layer: 0, projection: 0, position: 0, feature: 0 };

const FEATURES = 128;
const POSITIONS = 128;

/** What is kept over a plane of positions and features, shifted by `by` along any of the axes. */
function plane(rate: number, by: Partial<Place> = {}): boolean[] {
  const { seed, epoch, row, layer, projection, position, feature } = { ...origin, ...by };
  const [key, module, threshold] = [
    dropoutKey(seed, epoch, row),
    moduleKey(layer, projection),
    dropoutThreshold(rate),
  ];
  return Array.from({ length: POSITIONS * FEATURES }, (_, i) => {
    const [p, f] = [position + Math.floor(i / FEATURES), feature + (i % FEATURES)];
    return dropoutKeep(key, module, p, f, threshold);
  });
}

const axes = Object.keys(origin) as (keyof Place)[];

it('keeps everything at rate 0', () => {
  expect(plane(0).every(Boolean)).toBe(true);
});

describe.each([0.05, 0.5, 0.9])('at rate %d', (rate) => {
  const n = POSITIONS * FEATURES;
  const sigma = Math.sqrt(rate * (1 - rate));
  const base = plane(rate);
  const kept = (mask: boolean[]): number => mask.filter(Boolean).length;

  it.each([0, 1, 2, 1000, 0xffffffff])('keeps 1 − rate of the features, row %i', (row) => {
    expect(Math.abs(kept(plane(rate, { row })) - n * (1 - rate))).toBeLessThan(4 * sigma * Math.sqrt(n));
  });

  it('keeps 1 − rate of every position and of every feature', () => {
    // χ² of the counts has as many degrees of freedom as there are counts, and a standard deviation of √(2·that).
    const chi2 = (groups: number, of: (i: number) => number): number => {
      const counts = new Array<number>(groups).fill(0);
      base.forEach((k, i) => (counts[of(i)]! += Number(k)));
      const size = n / groups;
      const sum = counts.reduce((s, c) => s + (c - size * (1 - rate)) ** 2 / (size * rate * (1 - rate)), 0);
      return (sum - groups) / Math.sqrt(2 * groups);
    };
    expect(Math.abs(chi2(POSITIONS, (i) => Math.floor(i / FEATURES)))).toBeLessThan(4.5);
    expect(Math.abs(chi2(FEATURES, (i) => i % FEATURES))).toBeLessThan(4.5);
  });

  it.each(axes.flatMap((axis) => [1, 2, 4, 64, 4096].map((step) => [axis, step] as const)))(
    'is uncorrelated with the mask that lies ahead along %s by %i',
    (axis, step) => {
      const other = plane(rate, { [axis]: origin[axis] + step });
      const covariance = base.reduce(
        (sum, k, i) => sum + (Number(k) - (1 - rate)) * (Number(other[i]) - (1 - rate)),
        0,
      );
      expect(Math.abs(covariance) / (sigma ** 2 * Math.sqrt(n))).toBeLessThan(4.5);
    },
  );
});

it('tells apart what a sum or an unordered hash would mix up', () => {
  const masks = [
    { epoch: 1 },
    { row: 1 },
    { layer: 1 },
    { projection: 1 },
    { position: 1 },
    { feature: 1 },
  ].map((by) => plane(0.5, by).join());
  expect(new Set(masks).size).toBe(masks.length);
  expect(dropoutKey(1, 2, 3)).not.toBe(dropoutKey(1, 3, 2));
  expect(dropoutKey(2, 1, 3)).not.toBe(dropoutKey(1, 2, 3));
});

it('gives every row of an epoch and every module a distinct key', () => {
  const rows = Array.from({ length: 100_000 }, (_, row) => dropoutKey(42, 1, row));
  expect(new Set(rows).size).toBe(rows.length);
  const modules = Array.from({ length: 80 * 7 }, (_, i) => moduleKey(Math.floor(i / 7), i % 7));
  expect(new Set(modules).size).toBe(modules.length);
});

it('never changes, since a resumed run must see the mask of the run before', () => {
  expect(dropoutKey(42, 1, 7)).toBe(3793896735);
  expect(moduleKey(27, 6)).toBe(2591546691);
});
