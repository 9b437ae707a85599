import { describe, expect, it } from 'vitest';
import {
  type AttentionCase as Case,
  attentionInputs as inputs,
  attentionReference as reference,
} from '../../../support/attention-case.ts';
import { runVariant, testVariants } from '../../../support/attention-variants.ts';
import { relativeError, testGpu } from '../../../support/gpu.ts';

// Tiles have 32 or 64 rows and 64 columns; columns of heads are staged 16 at a time, or 16 rows and more as they
// are.
const cases: Case[] = [
  { tokens: 31, heads: 6, kvHeads: 1, headDim: 36, borders: [] },
  { tokens: 32, heads: 4, kvHeads: 2, headDim: 4, borders: [31] },
  { tokens: 33, heads: 7, kvHeads: 1, headDim: 36, borders: [1] },
  { tokens: 63, heads: 2, kvHeads: 1, headDim: 64, borders: [] },
  { tokens: 64, heads: 2, kvHeads: 2, headDim: 36, borders: [] },
  { tokens: 65, heads: 1, kvHeads: 1, headDim: 80, borders: [64] },
  { tokens: 97, heads: 6, kvHeads: 3, headDim: 80, borders: [40, 41, 90] },
  { tokens: 97, heads: 14, kvHeads: 2, headDim: 64, borders: [17, 33] },
  { tokens: 200, heads: 6, kvHeads: 1, headDim: 128, borders: [67, 150] },
  { tokens: 200, heads: 2, kvHeads: 1, headDim: 4, borders: [] },
  // Enough tiles of keys that seven heads are split into two, two, two and one.
  {
    ...{ tokens: 3041, heads: 7, kvHeads: 1, headDim: 4 },
    borders: Array.from({ length: 60 }, (_, i) => 50 * (i + 1)),
  },
];

describe.each(cases)(
  'attention of $tokens tokens, heads $heads/$kvHeads of $headDim, documents from $borders',
  (shape) => {
    const data = inputs(shape, shape.tokens * 1000 + shape.headDim);

    it('matches the f64 reference forward and backward', async () => {
      const out = await runVariant(await testGpu(), shape, data);
      const ref = reference(shape, data);
      const lse = out.stats.filter((_, i) => i % 2 === 0);
      expect(relativeError(out.o, ref.o), 'o').toBeLessThan(1e-5);
      expect(relativeError(lse, ref.lse), 'lse').toBeLessThan(1e-5);
      expect(relativeError(out.dv, ref.dv), 'dv').toBeLessThan(1e-5);
      expect(relativeError(out.dq, ref.dq), 'dq').toBeLessThan(1e-5);
      expect(relativeError(out.dk, ref.dk), 'dk').toBeLessThan(1e-5);
    });
  },
);

// Heads of two times 16 vec4; of one, and of neither, in tests/long/attention-variants.test.ts.
testVariants([{ tokens: 130, heads: 2, kvHeads: 1, headDim: 128, borders: [70, 127] }]);

describe('attention', () => {
  const shape: Case = { tokens: 97, heads: 4, kvHeads: 2, headDim: 64, borders: [50] };

  it('a lone token gets its value; only dv is not zero', async () => {
    const lone: Case = { tokens: 1, heads: 2, kvHeads: 1, headDim: 64, borders: [] };
    const data = inputs(lone, 5);
    const out = await runVariant(await testGpu(), lone, data);
    expect(relativeError(out.o, [...data.v, ...data.v])).toBeLessThan(1e-6);
    const sums = Array.from({ length: 64 }, (_, c) => data.dout[c]! + data.dout[64 + c]!);
    expect(relativeError(out.dv, sums)).toBeLessThan(1e-6);
    for (const gradient of [out.dq, out.dk]) {
      expect(Math.hypot(...gradient)).toBeLessThan(1e-5);
    }
  });

  it('gives the same bits twice', async () => {
    const t = await testGpu();
    const data = inputs(shape, 1);
    expect(await runVariant(t, shape, data)).toEqual(await runVariant(t, shape, data));
  });

  it('gives the same bits in as many dispatches as there are tiles', async () => {
    const t = await testGpu();
    const long: Case = { tokens: 500, heads: 4, kvHeads: 2, headDim: 4, borders: [150] };
    const data = inputs(long, 6);
    const whole = await runVariant(t, long, data);
    const before = t.stream.counts.dispatches;
    expect(await runVariant(t, long, data, { most: 1 })).toEqual(whole);
    // For each of three kernels, 16 tiles of 32 rows; the deltas, and two sums of the parts of dk and dv.
    expect(t.stream.counts.dispatches - before).toBe(3 * 16 + 1 + 2);
  });

  it('stays finite and right with scores beyond ±60', async () => {
    const data = inputs(shape, 2, 5);
    const out = await runVariant(await testGpu(), shape, data);
    const ref = reference(shape, data);
    expect(Math.max(...ref.lse)).toBeGreaterThan(60);
    for (const name of ['o', 'dq', 'dk', 'dv'] as const) {
      expect(relativeError(out[name], ref[name]), name).toBeLessThan(1e-5);
    }
  });

  it('a document does not feel its neighbors', async () => {
    const t = await testGpu();
    const data = inputs(shape, 3);
    const other = inputs(shape, 4);
    // The second document, after a different first one.
    const from = (n: number) => (n / shape.tokens) * 50;
    for (const name of ['q', 'k', 'v', 'dout'] as const) {
      other[name].set(data[name].subarray(from(data[name].length)), from(data[name].length));
    }
    const [a, b] = [await runVariant(t, shape, data), await runVariant(t, shape, other)];
    for (const name of ['o', 'dq', 'dk', 'dv'] as const) {
      expect(a[name].subarray(from(a[name].length))).toEqual(b[name].subarray(from(a[name].length)));
      expect(a[name].subarray(0, from(a[name].length))).not.toEqual(
        b[name].subarray(0, from(a[name].length)),
      );
    }
  });
});
