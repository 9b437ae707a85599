import { expect, it } from 'vitest';
import { rmsnormBackwardRef, rmsnormRef } from '../../reference/ops/rmsnorm.ts';
import { differences, inner } from '../../support/differences.ts';
import { f64, relativeError } from '../../support/gpu.ts';
import { Random } from '../../support/random.ts';

it.each([1, 4, 7])('the gradient of RMSNorm agrees with finite differences, width %i', (width) => {
  const random = new Random(width);
  const x = f64(random.normals(3 * width));
  const weight = f64(random.normals(width));
  const dy = f64(random.normals(3 * width));
  const loss = (at: Float64Array) => inner(rmsnormRef(at, weight, 1e-3), dy);
  expect(relativeError(rmsnormBackwardRef(x, weight, dy, 1e-3), differences(loss, x, 1e-6))).toBeLessThan(
    1e-6,
  );
});
