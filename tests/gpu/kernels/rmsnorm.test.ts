import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openNodeGpu } from '../../../src/cli/node-gpu.ts';
import { NORMS, type Reduction, rmsnorm, rmsnormBackward } from '../../../src/gpu/kernels/rmsnorm.ts';
import { rmsnormBackwardRef, rmsnormRef } from '../../reference/ops/rmsnorm.ts';
import { f64, relativeError, TestGpu, testGpu } from '../../support/gpu.ts';
import { Random } from '../../support/random.ts';

const shapes = [
  [1, 4],
  [3, 124],
  [7, 128],
  [2, 132],
  [5, 516],
  [13, 896],
  [2, 1536],
] as const;

// Subgroups are beyond WebGPU's guaranteed features.
let above: TestGpu;
beforeAll(async () => {
  above = new TestGpu(await openNodeGpu());
});
afterAll(() => above.close());
const device = (by: Reduction) => (by === 'workgroup' ? testGpu() : Promise.resolve(above));

it('every software device of the tests has subgroups', () => {
  expect(NORMS.map(({ supported }) => supported(above.gpu))).toEqual([true, true]);
});

const cases = shapes.flatMap(([rows, width]) =>
  (['workgroup', 'subgroups'] as const).map((by) => [rows, width, by] as const),
);

describe.each(cases)('rmsnorm of %i × %i by %s', (rows, width, by) => {
  const random = new Random(rows * 10_000 + width);
  const x = random.normals(rows * width, 3);
  const weight = random.normals(width);
  const dy = random.normals(rows * width);
  const eps = 1e-6;

  it('matches the f64 reference forward', async () => {
    const t = await device(by);
    const y = t.output(rows * width);
    rmsnorm(t.stream, { x: t.upload(x), weight: t.upload(weight), y, rows, width, eps }, by);
    expect(relativeError(await t.floats(y), rmsnormRef(f64(x), f64(weight), eps))).toBeLessThan(1e-5);
  });

  it.each([false, true])('matches the f64 reference backward, accumulate %s', async (accumulate) => {
    const t = await device(by);
    const before = random.normals(rows * width);
    const dx = accumulate ? t.upload(before) : t.output(rows * width);
    const views = { x: t.upload(x), weight: t.upload(weight), dy: t.upload(dy), dx };
    rmsnormBackward(t.stream, { ...views, rows, width, eps, accumulate }, by);
    const ref = rmsnormBackwardRef(f64(x), f64(weight), f64(dy), eps);
    const expected = accumulate ? ref.map((g, i) => g + before[i]!) : ref;
    expect(relativeError(await t.floats(dx), expected)).toBeLessThan(1e-5);
  });

  it('gives the same bits twice', async () => {
    const t = await device(by);
    const runs = [];
    for (let i = 0; i < 2; i++) {
      const y = t.output(rows * width);
      rmsnorm(t.stream, { x: t.upload(x), weight: t.upload(weight), y, rows, width, eps }, by);
      runs.push(await t.bytes(y));
    }
    expect(runs[1]).toEqual(runs[0]);
  });
});
