import { expect, it } from 'vitest';
import { ropeBackwardRef, ropeRef } from '../../reference/ops/rope.ts';
import { differences, inner } from '../../support/differences.ts';
import { f64, relativeError } from '../../support/gpu.ts';
import { Random } from '../../support/random.ts';

it('the gradient of rope agrees with finite differences', () => {
  const random = new Random(12);
  const positions = [0, 5, 1];
  const frequencies = Float64Array.of(1, 0.3);
  const x = f64(random.normals(3 * 2 * 4));
  const dy = f64(random.normals(x.length));
  const numeric = differences((moved) => inner(ropeRef(moved, positions, frequencies, 2), dy), x);
  expect(relativeError(ropeBackwardRef(dy, positions, frequencies, 2), numeric)).toBeLessThan(1e-8);
});
