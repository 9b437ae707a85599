import { describe, expect, it } from 'vitest';
import { argmax } from '../../../src/gpu/kernels/argmax.ts';
import { testGpu } from '../../support/gpu.ts';
import { Random } from '../../support/random.ts';

async function run(logits: Float32Array, vocab: number): Promise<number[]> {
  const t = await testGpu();
  const rows = logits.length / vocab;
  const out = t.upload(new Uint32Array(rows).fill(0xffffffff));
  argmax(t.stream, { logits: t.upload(logits), out, rows, vocab });
  return [...(await t.words(out))];
}

function argmaxRef(logits: Float32Array, vocab: number): number[] {
  return Array.from({ length: logits.length / vocab }, (_, r) => {
    const row = [...logits.subarray(r * vocab, (r + 1) * vocab)];
    return row.indexOf(row.reduce((a, b) => Math.max(a, b)));
  });
}

describe.each([
  [3, 1],
  [5, 2],
  [4, 255],
  [4, 256],
  [9, 257],
  [5, 4099],
  [2, 151936],
] as const)('argmax of %i rows of %i', (rows, vocab) => {
  it('finds the largest', async () => {
    const logits = new Random(vocab).normals(rows * vocab, 3);
    expect(await run(logits, vocab)).toEqual(argmaxRef(logits, vocab));
  });

  it('takes the lowest index of equal ones', async () => {
    const random = new Random(vocab + 1);
    const logits = Float32Array.from({ length: rows * vocab }, () => random.integer(-9, -1));
    expect(await run(logits, vocab)).toEqual(argmaxRef(logits, vocab));
  });
});

it('answers with the first index where every logit is −∞', async () => {
  expect(await run(new Float32Array(300).fill(-Infinity), 300)).toEqual([0]);
});
