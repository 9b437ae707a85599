import { describe, expect, it } from 'vitest';
import { rmsnorm, rmsnormBackward } from '../../src/gpu/kernels/rmsnorm.ts';
import { rmsnormBackwardRef, rmsnormRef } from '../reference/ops/rmsnorm.ts';
import { f64, relativeError, testGpu } from '../support/gpu.ts';
import { Random } from '../support/random.ts';

const shapes = [
  [1, 4],
  [3, 124],
  [7, 128],
  [2, 132],
  [5, 516],
  [13, 896],
  [2, 1536],
] as const;

describe.each(shapes)('rmsnorm of %i × %i', (rows, width) => {
  const random = new Random(rows * 10_000 + width);
  const x = random.normals(rows * width, 3);
  const weight = random.normals(width);
  const dy = random.normals(rows * width);
  const eps = 1e-6;

  it('matches the f64 reference forward', async () => {
    const t = await testGpu();
    const y = t.output(rows * width);
    rmsnorm(t.stream, { x: t.upload(x), weight: t.upload(weight), y, rows, width, eps });
    expect(relativeError(await t.floats(y), rmsnormRef(f64(x), f64(weight), eps))).toBeLessThan(1e-5);
  });

  it.each([false, true])('matches the f64 reference backward, accumulate %s', async (accumulate) => {
    const t = await testGpu();
    const before = random.normals(rows * width);
    const dx = accumulate ? t.upload(before) : t.output(rows * width);
    const views = { x: t.upload(x), weight: t.upload(weight), dy: t.upload(dy), dx };
    rmsnormBackward(t.stream, { ...views, rows, width, eps, accumulate });
    const ref = rmsnormBackwardRef(f64(x), f64(weight), f64(dy), eps);
    const expected = accumulate ? ref.map((g, i) => g + before[i]!) : ref;
    expect(relativeError(await t.floats(dx), expected)).toBeLessThan(1e-5);
  });
});
