import { expect, test } from 'vitest';
import { randperm } from '../../../src/train/sampler.ts';
import golden from '../../fixtures/train/schedule.json' with { type: 'json' };

test.each(golden.orders)('randperm($n) with seed $seed is torch’s', ({ n, seed, head, tail, check }) => {
  const order = randperm(n, seed);
  expect([...order.subarray(0, 10)]).toEqual(head);
  expect([...order.subarray(-3)]).toEqual(tail);
  expect(order.reduce((sum, x) => Number((BigInt(sum) * 31n + BigInt(x)) % 2147483647n), 0)).toBe(check);
});

test('the order is a permutation, and another seed gives another', () => {
  const seed = 1234;
  expect([...randperm(501, seed)].sort((a, b) => a - b)).toEqual(Array.from({ length: 501 }, (_, i) => i));
  expect(randperm(501, seed)).not.toEqual(randperm(501, seed + 1));
  expect(randperm(0, seed)).toHaveLength(0);
});

test('lengths for which torch draws 64 bits are refused', () => {
  expect(() => randperm(214748364, 0)).toThrow(RangeError);
});
