import { expect, it } from 'vitest';
import { TestMeter } from '../../../src/engine/comparison/progress.ts';

it('tells the speed and the time left of all versions together', () => {
  let now = 5000;
  // 4 of 10 answers are from before a reload.
  const meter = new TestMeter(4, 10, () => now);
  expect(meter.tokens(1, 0)).toEqual({
    version: 1,
    answered: 4,
    total: 10,
    tokensPerSecond: 0,
    secondsLeft: Infinity,
  });
  now += 50;
  expect(meter.tokens(1, 4)).toBeUndefined();
  now += 1950;
  // 20 tokens in 2 s; one answer of 10 tokens, 10 tokens under way, so 5 answers less those 10 are left.
  expect(meter.tokens(1, 20)).toMatchObject({ answered: 4, tokensPerSecond: 10, secondsLeft: Infinity });
  expect(meter.answer(10)).toEqual({
    version: 1,
    answered: 5,
    total: 10,
    tokensPerSecond: 10,
    secondsLeft: 4,
  });
  now += 2000;
  // The next version counts its tokens from 0.
  meter.tokens(2, 0);
  now += 1000;
  meter.failed(3);
  expect(meter.tokens(2, 5)).toMatchObject({ version: 2, answered: 5, total: 7, tokensPerSecond: 5 });
});
