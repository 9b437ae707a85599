import { describe, expect, it } from 'vitest';
import { rope, ropeTable } from '../../../src/gpu/kernels/rope.ts';
import { view } from '../../../src/gpu/memory.ts';
import { ropeBackwardRef, ropeRef } from '../../reference/ops/rope.ts';
import { f64, relativeError, type TestGpu, testGpu } from '../../support/gpu.ts';
import { Random } from '../../support/random.ts';

const shapes = [
  [1, 1, 1, 4],
  [5, 3, 1, 12],
  [3, 7, 7, 36],
  [17, 14, 2, 64],
  [13, 2, 2, 80],
  [31, 12, 2, 128],
] as const;

/** Queries, keys and values in one buffer, each at a multiple of 256 bytes. */
function together(t: TestGpu, arrays: readonly Float32Array[]) {
  const begins: number[] = [];
  let at = 0;
  for (const { length } of arrays) {
    begins.push(at);
    at += Math.ceil(length / 64) * 64;
  }
  const all = new Float32Array(at);
  arrays.forEach((array, i) => all.set(array, begins[i]));
  const { buffer } = t.upload(all);
  const [q, k, v] = arrays.map(({ length }, i) => view(buffer, 4 * begins[i]!, 4 * length));
  return { q: q!, k: k!, v: v! };
}

describe.each(shapes)('rope of %i tokens, %i heads on %i of %i', (tokens, heads, kvHeads, headDim) => {
  const random = new Random(tokens * 1000 + headDim);
  const frequencies = Float64Array.from({ length: headDim / 2 }, (_, i) => 1e6 ** ((-2 * i) / headDim));
  const maxPositions = 2048;
  const positions = Uint32Array.from({ length: tokens }, () => random.integer(0, maxPositions - 1));
  positions[0] = maxPositions - 1;
  const [queries, keys, values] = [heads, kvHeads, kvHeads].map((n) => random.normals(tokens * n * headDim));
  const inputs = [queries!, keys!, values!];
  const table = ropeTable(frequencies, maxPositions);
  const shape = { tokens, heads, kvHeads, headDim };
  const uploaded = (t: TestGpu) => ({ positions: t.upload(positions), table: t.upload(table) });

  it.each([false, true])('matches the f64 reference, inverse %s', async (inverse) => {
    const t = await testGpu();
    const qkv = together(t, inputs);
    rope(t.stream, { ...qkv, ...uploaded(t), ...shape, inverse });
    const reference = inverse ? ropeBackwardRef : ropeRef;
    const turned = (x: Float32Array, n: number) => reference(f64(x), positions, frequencies, n);
    expect(relativeError(await t.floats(qkv.q), turned(queries!, heads))).toBeLessThan(1e-6);
    expect(relativeError(await t.floats(qkv.k), turned(keys!, kvHeads))).toBeLessThan(1e-6);
    expect(await t.floats(qkv.v)).toEqual(values);
  });

  it('comes back with the inverse', async () => {
    const t = await testGpu();
    const qkv = together(t, inputs);
    rope(t.stream, { ...qkv, ...uploaded(t), ...shape, inverse: false });
    rope(t.stream, { ...qkv, ...uploaded(t), ...shape, inverse: true });
    expect(relativeError(await t.floats(qkv.q), queries!)).toBeLessThan(1e-6);
    expect(relativeError(await t.floats(qkv.k), keys!)).toBeLessThan(1e-6);
  });

  it('adds shares of keys and values in their order, to the bits of the sums in f32, then rotates the keys', async () => {
    const t = await testGpu();
    const parts = 3;
    const share = () => Array.from({ length: parts }, () => random.normals(tokens * kvHeads * headDim));
    const [dk, dv] = [share(), share()];
    const added = (shares: Float32Array[]) =>
      shares.reduce(
        (sum, one) => sum.map((x, i) => Math.fround(x + one[i]!)),
        new Float32Array(keys!.length),
      );
    const joined = (shares: Float32Array[]) => t.upload(Float32Array.from(shares.flatMap((s) => [...s])));
    const stale = together(t, inputs);
    const shares = { parts, dk: joined(dk), dv: joined(dv) };
    rope(t.stream, { ...stale, ...uploaded(t), ...shape, inverse: true, shares });
    const whole = together(t, [queries!, added(dk), added(dv)]);
    rope(t.stream, { ...whole, ...uploaded(t), ...shape, inverse: true });
    for (const part of ['q', 'k', 'v'] as const) {
      expect(await t.floats(stale[part])).toEqual(await t.floats(whole[part]));
    }
  });
});
