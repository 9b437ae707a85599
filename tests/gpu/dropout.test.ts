import { describe, expect, it } from 'vitest';
import { dropoutKeep, dropoutKey, dropoutThreshold, moduleKey } from '../../src/gpu/dropout.ts';
import { dropoutAdd } from '../../src/gpu/kernels/dropout.ts';
import { dropoutRef } from '../reference/ops/dropout.ts';
import { f64, relativeError, testGpu, type TestGpu } from '../support/gpu.ts';
import { Random } from '../support/random.ts';

/** Tokens of several rows packed one behind the other: per token its row's key and its position in that row. */
function packedKeys(random: Random, tokens: number): Uint32Array {
  const keys = new Uint32Array(2 * tokens);
  for (let token = 0; token < tokens;) {
    const key = dropoutKey(42, random.integer(0, 3), random.integer(0, 100_000));
    const length = Math.min(random.integer(1, 9), tokens - token);
    for (let position = 0; position < length; position++) keys.set([key, position], 2 * (token + position));
    token += length;
  }
  return keys;
}

describe.each([
  [1, 4, 0.5],
  [3, 84, 0.1],
  [1, 256, 0.9],
  [1, 260, 0.05],
  [31, 124, 0.25],
  [17, 896, 0.1],
  [5, 1536, 0],
] as const)('dropout of %i × %i at %d', (tokens, width, rate) => {
  const random = new Random(tokens * 10_000 + width);
  const x = random.normals(tokens * width);
  const keys = packedKeys(random, tokens);
  const module = moduleKey(random.integer(0, 27), random.integer(0, 6));
  const threshold = dropoutThreshold(rate);
  const keep = (token: number, feature: number): boolean =>
    dropoutKeep(keys[2 * token]!, module, keys[2 * token + 1]!, feature, threshold);
  const at = (t: TestGpu) => ({ x: t.upload(x), tokenKeys: t.upload(keys) });
  const expected = dropoutRef(f64(x), width, rate, keep);

  it('keeps exactly what the CPU keeps, and scales it', async () => {
    const t = await testGpu();
    const y = t.upload(new Float32Array(tokens * width));
    dropoutAdd(t.stream, { ...at(t), y, moduleKey: module, tokens, width, rate });
    const kept = await t.floats(y);
    expect(kept.map((v) => Number(v !== 0))).toEqual(Float32Array.from(expected, (v) => Number(v !== 0)));
    expect(relativeError(kept, expected)).toBeLessThan(1e-6);
    if (rate === 0) expect(kept).toEqual(x);
  });

  it('adds to what is there', async () => {
    const t = await testGpu();
    const before = random.normals(tokens * width);
    const y = t.upload(before);
    dropoutAdd(t.stream, { ...at(t), y, moduleKey: module, tokens, width, rate });
    const sum = expected.map((v, i) => v + before[i]!);
    expect(relativeError(await t.floats(y), sum)).toBeLessThan(1e-6);
  });
});
