import { describe, expect, it } from 'vitest';
import {
  dropoutKeep,
  dropoutKey,
  dropoutThreshold,
  moduleKey,
} from '../../../../src/gpu/kernels/lora/dropout-mask.ts';
import { loraInputGrad } from '../../../../src/gpu/kernels/lora/input-grad.ts';
import { LORA_SCRATCH, loraProject } from '../../../../src/gpu/kernels/lora/project.ts';
import { dropoutRef } from '../../../reference/ops/dropout.ts';
import { add, matmulRef } from '../../../reference/ops/matmul.ts';
import { f64, relativeError, type TestGpu, testGpu } from '../../../support/gpu.ts';
import { Random } from '../../../support/random.ts';

/** Tokens of several rows packed one behind the other: per token its row's key and its position in that row. */
function packedKeys(random: Random, tokens: number): Uint32Array {
  const keys = new Uint32Array(2 * tokens);
  for (let token = 0; token < tokens;) {
    const key = dropoutKey(42, random.integer(0, 3), random.integer(0, 100_000));
    const length = Math.min(random.integer(1, 9), tokens - token);
    for (let position = 0; position < length; position++) {
      keys.set([key, position], 2 * (token + position));
    }
    token += length;
  }
  return keys;
}

/** The values with one more row of NaN behind them. */
const withNaN = (values: Float32Array, width: number): Float32Array =>
  Float32Array.from({ length: values.length + width }, (_, i) => values[i] ?? NaN);

// Tiles are 64 rows and 64 columns, chunks 16 ranks.
describe.each([
  [1, 4, 1, 0.5],
  [3, 84, 8, 0.05],
  [63, 60, 32, 0.5],
  [65, 68, 37, 0.05],
  [64, 64, 16, 0.9],
  [131, 212, 17, 0.25],
  [31, 1536, 32, 0.05],
  [33, 8960, 8, 0.5],
  [5, 8960, 37, 0.05],
  [17, 896, 32, 0],
] as const)('%i rows of %i, rank %i, rate %d', (rows, width, rank, rate) => {
  const random = new Random(rows * 7919 + width * 31 + rank);
  const v = random.normals(rows * rank);
  const A = random.normals(rank * width);
  const keys = packedKeys(random, rows);
  const module = moduleKey(random.integer(0, 27), random.integer(0, 6));
  const threshold = dropoutThreshold(rate);
  const expected = dropoutRef(matmulRef(f64(v), f64(A), rows, rank, width), width, rate, (token, feature) =>
    dropoutKeep(keys[2 * token]!, module, keys[2 * token + 1]!, feature, threshold),
  );

  async function gradient(t: TestGpu, before: Float32Array): Promise<Float32Array> {
    const dx = t.upload(before);
    loraInputGrad(t.stream, {
      ...{ v: t.upload(withNaN(v, rank)), A: t.upload(withNaN(A, width)), dx },
      ...{ tokenKeys: t.upload(keys), rate, moduleKey: module, rows, rank, width },
    });
    return t.floats(dx);
  }

  it('keeps exactly what the CPU keeps', async () => {
    const found = await gradient(await testGpu(), new Float32Array(rows * width));
    expect(found.map((g) => Number(g !== 0))).toEqual(Float32Array.from(expected, (g) => Number(g !== 0)));
    expect(relativeError(found, expected)).toBeLessThan(1e-5);
  });

  it('adds to what is there, leaves rows behind the last alone, and gives the same bits twice', async () => {
    const t = await testGpu();
    // −0 behind the last row: adding nothing but zero would show.
    const before = new Float32Array((rows + 3) * width).fill(-0);
    before.set(random.normals(rows * width));
    const found = await gradient(t, before);
    const sum = add(expected, before);
    expect(relativeError(found.subarray(0, rows * width), sum)).toBeLessThan(1e-5);
    expect(found.subarray(rows * width)).toEqual(before.subarray(rows * width));
    expect(await gradient(t, before)).toEqual(found);
  });
});

it('is the transpose of the forward pass: v·(drop(x)·Aᵀ) is x·dx', async () => {
  const t = await testGpu();
  const [rows, width, rank, rate] = [131, 320, 8, 0.5];
  const random = new Random(3);
  const [x, v] = [random.normals(rows * width), random.normals(rows * rank)];
  const A = t.upload(random.normals(rank * width));
  const tokenKeys = t.upload(packedKeys(random, rows));
  const key = moduleKey(4, 2);
  const [u, dx] = [t.output(rows * rank), t.upload(new Float32Array(rows * width))];
  loraProject(t.stream, {
    parts: [{ x: t.upload(x), w: A, out: u, depth: width, rank, alpha: 1 }],
    dropout: { tokenKeys, rate, moduleKeys: [key] },
    ...{ rows, wByRank: false, scratch: t.output(LORA_SCRATCH) },
  });
  loraInputGrad(t.stream, { v: t.upload(v), A, dx, tokenKeys, rate, moduleKey: key, rows, rank, width });
  const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
  const [forward, backward] = [dot(v, await t.floats(u)), dot(x, await t.floats(dx))];
  expect(Math.abs(forward)).toBeGreaterThan(100);
  expect(Math.abs(forward - backward)).toBeLessThan(1e-5 * Math.abs(forward));
});
