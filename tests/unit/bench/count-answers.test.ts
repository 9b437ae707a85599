import { expect, it } from 'vitest';
import { globals } from 'webgpu';
import { countToken } from '../../../src/bench/count-answers.ts';
import { benchInputs } from '../../../src/bench/models.ts';

Object.assign(globalThis, globals);

it('a token of one answer, and of eight at once, reads the weights of 1.5B once and little else', async () => {
  const inputs = benchInputs('1.5b', 128, 128);
  const [one, eight] = [await countToken(inputs, 1), await countToken(inputs, 8)];
  // NF4 with nested scales, the table in bf16, the adapter in f32.
  expect(one.weights / 1e9).toBeCloseTo(0.655 + 0.021 + 0.467 + 0.148, 2);
  expect(eight.weights).toBe(one.weights);
  expect(eight.caches).toBe(8 * one.caches);
  for (const { bytes, caches, weights } of [one, eight]) {
    expect(bytes - caches).toBeGreaterThan(weights);
    expect(bytes - caches).toBeLessThan(1.1 * weights);
  }
  expect(eight.dispatches).toBe(one.dispatches);
});
