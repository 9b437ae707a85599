import { describe, expect, it } from 'vitest';
import { crossEntropy, crossEntropyScratch } from '../../../src/gpu/kernels/cross-entropy.ts';
import { crossEntropyBackwardRef, crossEntropyRef } from '../../reference/ops/cross-entropy.ts';
import { firstDifference } from '../../support/first-difference.ts';
import { f64, relativeError, testGpu } from '../../support/gpu.ts';
import { Random } from '../../support/random.ts';

const shapes = [
  [1, 1],
  [3, 2],
  [5, 255],
  [2, 257],
  [4, 1023],
  [3, 1025],
  [7, 4099],
  [2, 8192],
  [3, 8193],
  [2, 20011],
  [2, 151936],
] as const;

describe.each(shapes)('cross-entropy of %i rows over %i', (rows, vocab) => {
  const random = new Random(rows * 1_000_003 + vocab);
  // Rows of very different level: without the running maximum these overflow.
  const logits = random.normals(rows * vocab, 4).map((x, i) => x + 100 * (Math.floor(i / vocab) % 5));
  const labels = Uint32Array.from(
    { length: rows },
    (_, r) => [vocab - 1, 0, random.integer(0, vocab - 1)][r % 3]!,
  );
  const expected = crossEntropyRef(f64(logits), labels);

  it('gives the losses and leaves the logits', async () => {
    const t = await testGpu();
    const views = {
      ...{ logits: t.upload(logits), labels: t.upload(labels), losses: t.output(rows + 3) },
      scratch: t.output(crossEntropyScratch(rows, vocab)),
    };
    crossEntropy(t.stream, { ...views, lossBegin: 2, rows, vocab });
    const losses = await t.floats(views.losses);
    expect(relativeError(losses.subarray(2, 2 + rows), expected)).toBeLessThan(1e-5);
    expect([losses[0], losses[1], losses[rows + 2]]).toEqual([NaN, NaN, NaN]);
    expect(firstDifference(await t.floats(views.logits), logits)).toBe(-1);
  });

  it('turns the logits into the gradient, the same bits each time', async () => {
    const t = await testGpu();
    const run = async (): Promise<[Float32Array, Float32Array]> => {
      const views = {
        ...{ logits: t.upload(logits), labels: t.upload(labels), losses: t.output(rows) },
        scratch: t.output(crossEntropyScratch(rows, vocab)),
      };
      crossEntropy(t.stream, { ...views, lossBegin: 0, rows, vocab, gradScale: 1 / 48 });
      return [await t.floats(views.logits), await t.floats(views.losses)];
    };
    const [grad, losses] = await run();
    expect(relativeError(losses, expected)).toBeLessThan(1e-5);
    expect(relativeError(grad, crossEntropyBackwardRef(f64(logits), labels, 1 / 48))).toBeLessThan(1e-5);
    const [again, lossesAgain] = await run();
    expect(firstDifference(again, grad)).toBe(-1);
    expect(lossesAgain).toEqual(losses);
  });
});

it.each([NaN, Infinity, -Infinity])(
  'gives NaN for a row with a logit of %d, and only for it',
  async (value) => {
    const t = await testGpu();
    // Two slices: where one of them is not sound, neither is the other.
    const [rows, vocab] = [4, 8300];
    const logits = new Float32Array(rows * vocab).fill(0.5);
    logits[7] = logits[vocab + 8299] = value;
    const labels = t.upload(new Uint32Array([3, 8299, 5, 1]));
    const scratch = t.output(crossEntropyScratch(rows, vocab));
    const views = { logits: t.upload(logits), labels, losses: t.output(rows), scratch };
    crossEntropy(t.stream, { ...views, lossBegin: 0, rows, vocab, gradScale: 1 });
    const losses = await t.floats(views.losses);
    expect([losses[0], losses[1]]).toEqual([NaN, NaN]);
    expect(losses[2]).toBeCloseTo(Math.log(vocab), 5);
    expect(losses[3]).toBeCloseTo(Math.log(vocab), 5);
    const grad = await t.floats(views.logits);
    expect(grad.subarray(0, 2 * vocab).every(Number.isNaN)).toBe(true);
    expect(grad.subarray(2 * vocab).every(Number.isFinite)).toBe(true);
  },
);
