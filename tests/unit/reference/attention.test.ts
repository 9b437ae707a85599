import { expect, it } from 'vitest';
import { attentionBackwardRef, attentionRef } from '../../reference/ops/attention.ts';
import { differences, inner } from '../../support/differences.ts';
import { f64, relativeError } from '../../support/gpu.ts';
import { Random } from '../../support/random.ts';

it('the gradients of attention agree with finite differences', () => {
  const random = new Random(13);
  const shape = { tokens: 6, heads: 4, kvHeads: 2, headDim: 4, scale: 0.5, keyBegin: [0, 0, 0, 0, 4, 4] };
  const q = f64(random.normals(6 * 4 * 4));
  const k = f64(random.normals(6 * 2 * 4));
  const v = f64(random.normals(6 * 2 * 4));
  const dout = f64(random.normals(q.length));
  const { dq, dk, dv } = attentionBackwardRef(q, k, v, dout, shape);
  const loss = (...args: Parameters<typeof attentionRef>) => inner(attentionRef(...args).o, dout);
  expect(
    relativeError(
      dq,
      differences((x) => loss(x, k, v, shape), q),
    ),
  ).toBeLessThan(1e-8);
  expect(
    relativeError(
      dk,
      differences((x) => loss(q, x, v, shape), k),
    ),
  ).toBeLessThan(1e-8);
  expect(
    relativeError(
      dv,
      differences((x) => loss(q, k, x, shape), v),
    ),
  ).toBeLessThan(1e-8);
});

it('a token attends its own document only, itself included', () => {
  const q = f64([1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]);
  const v = f64([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  const shape = { tokens: 3, heads: 1, kvHeads: 1, headDim: 4, scale: 1, keyBegin: [0, 0, 2] };
  const { o, lse } = attentionRef(q, q, v, shape);
  expect(relativeError(o, [1, 2, 3, 4, 3, 4, 5, 6, 9, 10, 11, 12])).toBeLessThan(1e-14);
  expect(relativeError(lse, [1, 1 + Math.log(2), 1])).toBeLessThan(1e-14);
});
