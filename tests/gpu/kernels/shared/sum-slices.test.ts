import { expect, it } from 'vitest';
import { sumParts, sumSlices } from '../../../../src/gpu/kernels/shared/sum-slices.ts';
import { testGpu } from '../../../support/gpu.ts';
import { Random } from '../../../support/random.ts';

/** The sums of `slices` slices of `count` values from `at` on, added in f32 in their order to those there are. */
function inOrder(
  values: Float32Array,
  at: number,
  count: number,
  slices: number,
  begun = new Float32Array(count),
): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => {
    let total = begun[i]!;
    for (let s = 0; s < slices; s++) {
      total = Math.fround(total + values[at + s * count + i]!);
    }
    return total;
  });
}

it.each([
  [1, 1],
  [63, 5],
  [257, 32],
  // More workgroups than one dimension has.
  [64 * 65535 + 3, 2],
])('%i values of %i slices, to the bit', async (values, count) => {
  const t = await testGpu();
  const slices = new Random(values + count).normals(values * count);
  const y = t.output(values);
  sumSlices(t.stream, { slices: t.upload(slices), y, count, values });
  expect(Buffer.from(await t.bytes(y)).equals(Buffer.from(inOrder(slices, 0, values, count).buffer))).toBe(
    true,
  );
});

it.each([false, true])('three sums at once, accumulate %s', async (accumulate) => {
  const t = await testGpu();
  const random = new Random(Number(accumulate) + 7);
  const parts = [
    { count: 70, slices: 3, partial_at: 5, out_at: 130 },
    { count: 0, slices: 1, partial_at: 0, out_at: 0 },
    { count: 129, slices: 2, partial_at: 215, out_at: 1 },
  ];
  const partial = random.normals(480);
  const before = random.normals(203);
  const expected = before.slice();
  for (const { count, slices, partial_at, out_at } of parts) {
    const begun = accumulate ? before.slice(out_at, out_at + count) : undefined;
    expected.set(inOrder(partial, partial_at, count, slices, begun), out_at);
  }
  const out = t.upload(before);
  sumParts(t.stream, { partial: t.upload(partial), out, parts, accumulate });
  expect(await t.floats(out)).toEqual(expected);
});
