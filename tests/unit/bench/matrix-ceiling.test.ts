import { afterAll, beforeAll, expect, it } from 'vitest';
import code from '../../../shaders/bench/bench_matrix.wgsl';
import { matrixBench } from '../../../src/bench/matrix-ceiling.ts';
import { openNodeGpu } from '../../../src/cli/node-gpu.ts';
import { GRIDS, matrixText } from '../../../src/gpu/kernels/shared/subgroup-matrix-kernels.ts';
import { TestGpu } from '../../support/gpu.ts';
import { STAND_IN_SHAPE, withoutMatrixUnits } from '../../support/stand-ins.ts';

const [grid] = GRIDS;

let t: TestGpu;
beforeAll(async () => {
  t = new TestGpu(await openNodeGpu());
});
afterAll(() => t.close());

it('multiplies as often as it is said to, with arrays for subgroup matrices', async () => {
  const { M, N, K } = STAND_IN_SHAPE;
  const groups = 3;
  const count = groups * grid!.down * grid!.across * 8 * M * N;
  const out = t.output(count);
  t.stream.dispatch(matrixBench('stand-in', withoutMatrixUnits(t, grid!, code)), {
    buffers: [out],
    params: { rounds: 5, left: 0.25, right: 3 },
    groups: [groups],
  });
  expect(await t.floats(out)).toEqual(new Float32Array(count).fill(5 * K * 0.25 * 3));
});

// SwiftShader has none; llvmpipe has.
it('compiles for the subgroup matrices of a device that has some, in both dialects', async ({ skip }) => {
  const { matrix } = t.gpu;
  if (!matrix) {
    return skip('the device has no subgroup matrices');
  }
  for (const dialect of ['flag', matrix.dialect] as const) {
    for (const shape of matrix.shapes) {
      await matrixBench('compiled', matrixText(shape, grid!, { ...matrix, dialect }, code)).compile(t.gpu);
    }
  }
  expect(t.gpu.errors).toEqual([]);
});
