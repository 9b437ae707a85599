import { expect, it } from 'vitest';
import { addTo } from '../../src/gpu/kernels/add-to.ts';
import { testGpu } from '../support/gpu.ts';
import { Random } from '../support/random.ts';

it.each([4, 1020, 1024, 1028, 4 * 7919])(
  'adds %i values in place and touches nothing behind them',
  async (n) => {
    const random = new Random(n);
    const [x, y] = [random.normals(n + 4), random.normals(n + 4)];
    const t = await testGpu();
    const out = t.upload(y);
    addTo(t.stream, { x: t.upload(x), y: out, n });
    expect(await t.floats(out)).toEqual(y.map((v, i) => (i < n ? v + x[i]! : v)));
  },
);
