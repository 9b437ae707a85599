import { expect, it } from 'vitest';
import { crossEntropyBackwardRef, crossEntropyRef } from '../../reference/ops/cross-entropy.ts';
import { f64 } from '../../support/gpu.ts';
import { Random } from '../../support/random.ts';

it('has the gradient of central differences', () => {
  const random = new Random(71);
  const [rows, vocab, scale, h] = [3, 11, 0.37, 1e-5];
  const x = f64(random.normals(rows * vocab, 2));
  const labels = Array.from({ length: rows }, () => random.integer(0, vocab - 1));
  const loss = (at: number, delta: number): number => {
    const moved = x.slice();
    moved[at]! += delta;
    return scale * crossEntropyRef(moved, labels).reduce((a, b) => a + b);
  };
  const grad = crossEntropyBackwardRef(x, labels, scale);
  x.forEach((_, i) => expect(grad[i]).toBeCloseTo((loss(i, h) - loss(i, -h)) / (2 * h), 8));
});
