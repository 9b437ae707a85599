import { describe, expect, it } from 'vitest';
import { rope, ropeTable } from '../../../src/gpu/kernels/rope.ts';
import { ropeBackwardRef, ropeRef } from '../../reference/ops/rope.ts';
import { f64, relativeError, testGpu } from '../../support/gpu.ts';
import { Random } from '../../support/random.ts';

const shapes = [
  [1, 1, 4],
  [5, 3, 12],
  [3, 7, 36],
  [17, 14, 64],
  [13, 2, 80],
  [31, 12, 128],
] as const;

describe.each(shapes)('rope of %i tokens, %i heads of %i', (tokens, heads, headDim) => {
  const random = new Random(tokens * 1000 + headDim);
  const frequencies = Float64Array.from({ length: headDim / 2 }, (_, i) => 1e6 ** ((-2 * i) / headDim));
  const maxPositions = 2048;
  const positions = Uint32Array.from({ length: tokens }, () => random.integer(0, maxPositions - 1));
  positions[0] = maxPositions - 1;
  const x = random.normals(tokens * heads * headDim);
  const table = ropeTable(frequencies, maxPositions);

  it.each([false, true])('matches the f64 reference, inverse %s', async (inverse) => {
    const t = await testGpu();
    const turned = t.upload(x);
    const views = { x: turned, positions: t.upload(positions), table: t.upload(table) };
    rope(t.stream, { ...views, tokens, heads, headDim, inverse });
    const ref = (inverse ? ropeBackwardRef : ropeRef)(f64(x), positions, frequencies, heads);
    expect(relativeError(await t.floats(turned), ref)).toBeLessThan(1e-6);
  });

  it('comes back with the inverse', async () => {
    const t = await testGpu();
    const turned = t.upload(x);
    const views = { x: turned, positions: t.upload(positions), table: t.upload(table) };
    rope(t.stream, { ...views, tokens, heads, headDim, inverse: false });
    rope(t.stream, { ...views, tokens, heads, headDim, inverse: true });
    expect(relativeError(await t.floats(turned), x)).toBeLessThan(1e-6);
  });
});
