import { describe, expect, it } from 'vitest';
import {
  gradNormFinish,
  gradNormPartial,
  gradNormPartials,
} from '../../../../src/gpu/kernels/optimizer/grad-norm.ts';
import { gradNormRef } from '../../../reference/ops/grad-norm.ts';
import { f64, relativeError, testGpu } from '../../../support/gpu.ts';
import { Random } from '../../../support/random.ts';

/** Runs both kernels over the buffers and returns control. */
async function control(tensors: Float32Array[], maxNorm: number): Promise<Float32Array> {
  const t = await testGpu();
  const partialCount = tensors.reduce((sum, g) => sum + gradNormPartials(g.length), 0);
  const partials = t.output(partialCount);
  const layers = tensors.map((g) => ({ grads: t.upload(g), count: g.length }));
  expect(gradNormPartial(t.stream, { layers, partials })).toBe(partialCount);
  const out = t.output(4);
  gradNormFinish(t.stream, { partials, partialCount, control: out, maxNorm });
  return t.floats(out);
}

// More than seven layers take a second dispatch.
const many = [8448, 256, 8192, 4096, 16640, 512, 8192, 8448, 256];

describe.each([[[256]], [[7936]], [[8192]], [[256 * 131, 256 * 67, 4096]], [many], [[8192 * 300]]])(
  'gradient norm of %j values',
  (counts) => {
    const random = new Random(counts.reduce((a, b) => a * 31 + b, 7));
    const tensors = counts.map((n) => Float32Array.from({ length: n }, () => 4 * random.uniform() - 1.5));
    const all = f64(tensors.flatMap((g) => [...g]));

    it.each([0, 1, 1e6])('matches the f64 reference, max_norm %d', async (maxNorm) => {
      const out = await control(tensors, maxNorm);
      expect(relativeError(out.subarray(0, 2), gradNormRef(all, maxNorm))).toBeLessThan(1e-5);
      expect([out[2], out[3]]).toEqual([1, 0]);
      expect(await control(tensors, maxNorm)).toEqual(out);
    });
  },
);

it('gives zero gradients a norm of 0 and does not clip them', async () => {
  expect([...(await control([new Float32Array(512)], 1))]).toEqual([0, 1, 1, 0]);
});

it('clips by norm + 1e-6, which shows where gradients are tiny', async () => {
  const g = new Float32Array(256).fill(1e-7);
  expect(relativeError((await control([g], 1e-6)).subarray(0, 2), gradNormRef(f64(g), 1e-6))).toBeLessThan(
    1e-5,
  );
});

describe('a gradient that is not finite', () => {
  const poisons = [NaN, Infinity, -Infinity, 1.2e19, 3.4e38];
  it.each(poisons.flatMap((value) => [0, 4097, 8191, 8192 * 9 + 3].map((at) => [value, at] as const)))(
    '%d at %i clears the finite flag',
    async (value, at) => {
      const g = new Random(at).normals(8192 * 9 + 256);
      expect((await control([g], 1))[2]).toBe(1);
      g[at] = value;
      expect([...(await control([g], 1))]).toEqual([-1, 0, 0, 0]);
    },
  );

  it('includes sums of squares that overflow only together', async () => {
    expect([...(await control([new Float32Array(256).fill(1e18)], 0))]).toEqual([-1, 0, 0, 0]);
    const apart = Array.from({ length: 300 }, () => new Float32Array(256).fill(5e17));
    expect((await control(apart.slice(0, 1), 0))[2]).toBe(1);
    expect([...(await control(apart, 0))]).toEqual([-1, 0, 0, 0]);
  });

  it('does not include large or subnormal gradients', async () => {
    const g = new Float32Array(256).fill(1e-40);
    g[100] = -5e18;
    const out = await control([g], 1);
    expect(relativeError(out.subarray(0, 2), [5e18, 2e-19])).toBeLessThan(1e-5);
    expect(out[2]).toBe(1);
  });
});
