import { expect, it } from 'vitest';
import { swigluBackwardRef, swigluRef } from '../../reference/ops/swiglu.ts';
import { differences, inner } from '../../support/differences.ts';
import { f64, relativeError } from '../../support/gpu.ts';
import { Random } from '../../support/random.ts';

it('the gradients of swiglu agree with finite differences', () => {
  const random = new Random(11);
  const [gate, up, dout] = [f64(random.normals(24, 2)), f64(random.normals(24)), f64(random.normals(24))];
  const { dgate, dup } = swigluBackwardRef(gate, up, dout);
  const byGate = differences((x) => inner(swigluRef(x, up), dout), gate);
  const byUp = differences((x) => inner(swigluRef(gate, x), dout), up);
  expect(relativeError(dgate, byGate)).toBeLessThan(1e-8);
  expect(relativeError(dup, byUp)).toBeLessThan(1e-8);
});
