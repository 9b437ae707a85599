import { afterAll, beforeAll, expect, it } from 'vitest';
import { openNodeGpu } from '../../src/cli/node-gpu.ts';
import {
  dispatchHead,
  dispatchHeadGrad,
  headGradKernel,
  headKernel,
  headMatmulGradMatrix,
  headMatmulMatrix,
  headOnMatrixUnits,
  HEAD_TEXTS,
} from '../../src/gpu/kernels/head-matrix.ts';
import { headSlices, type Table } from '../../src/gpu/kernels/head.ts';
import { GRIDS, matrixText } from '../../src/gpu/kernels/matrix-kernels.ts';
import { matmulRef, transpose } from '../reference/ops/matmul.ts';
import { f64, relativeError, TestGpu } from '../support/gpu.ts';
import { Random } from '../support/random.ts';
import { standInTile, withoutMatrixUnits } from '../support/stand-ins.ts';

const GRID = GRIDS[0]!;
let t: TestGpu;
let kernel: ReturnType<typeof headKernel>;
let grad: ReturnType<typeof headGradKernel>;

beforeAll(async () => {
  t = new TestGpu(await openNodeGpu());
  kernel = headKernel('head', withoutMatrixUnits(t, GRID, HEAD_TEXTS.forward));
  grad = headGradKernel('head gradient', withoutMatrixUnits(t, GRID, HEAD_TEXTS.grad));
});

afterAll(() => t.close());

const shapes = [
  [1, 5, 32, [5]],
  [3, 448, 128, [200, 248]],
  [65, 129, 160, [1, 128]],
  [2, 9001, 32, [8192, 809]],
] as const;

it.each(shapes)(
  'head on matrices: %i rows, %i words, width %i, parts %j',
  async (rows, vocab, width, counts) => {
    const random = new Random(rows * 7919 + vocab + width);
    const bits = new Uint32Array(random.normals(vocab * width).buffer).map((b) => (b & 0xffff0000) >>> 0);
    const decoded = f64(new Float32Array(bits.buffer));
    let begin = 0;
    const parts = counts.map((count) => {
      const words = bits.slice(begin * width, (begin + count) * width);
      begin += count;
      return { view: t.upload(new Uint16Array(words.map((b) => b >>> 16))), begin: begin - count, count };
    });
    const table: Table = { parts, format: 'bf16', vocab, width };
    const x = random.normals(rows * width).map((v) => 1e6 * v);
    const gradScale = 1 / 4321;
    const dlogits = random.normals(rows * vocab).map((v) => gradScale * Math.tanh(v));
    const forward = matmulRef(f64(x), transpose(decoded, vocab, width), rows, width, vocab);
    const backward = matmulRef(f64(dlogits), decoded, rows, vocab, width);

    const tile = standInTile(GRID);
    const ways = [
      {
        tolerance: 1e-5,
        forward: (call: Parameters<typeof headMatmulMatrix>[1]) => dispatchHead(t.stream, kernel, tile, call),
        backward: (call: Parameters<typeof headMatmulGradMatrix>[1]) =>
          dispatchHeadGrad(t.stream, grad, tile, call),
      },
    ];
    if (headOnMatrixUnits(t.gpu, table))
      ways.push({
        tolerance: 1e-3,
        forward: (call) => headMatmulMatrix(t.stream, call),
        backward: (call) => headMatmulGradMatrix(t.stream, call),
      });
    for (const way of ways) {
      const logits = t.output(rows * vocab);
      way.forward({ x: t.upload(x), table, logits, rows, rowScales: t.output(rows) });
      expect(relativeError(await t.floats(logits), forward)).toBeLessThan(way.tolerance);
      const slices = headSlices(parts);
      const scratch = t.output(slices * rows * width);
      way.backward({ dlogits: t.upload(dlogits), table, scratch, rows, gradScale });
      const partial = await t.floats(scratch);
      const sum = new Float64Array(rows * width).map((_, i) => {
        let all = 0;
        for (let slice = 0; slice < slices; slice++) all += partial[slice * rows * width + i]!;
        return all;
      });
      expect(relativeError(sum, backward)).toBeLessThan(way.tolerance);
    }
  },
);

// SwiftShader has no matrix units; llvmpipe has and crashes when it runs them.
it('compiles for the matrix units of a device that has some, in both dialects', async ({ skip }) => {
  const { matrix } = t.gpu;
  if (!matrix) return skip('the device has no matrix units');
  for (const dialect of ['flag', matrix.dialect] as const)
    for (const shape of matrix.shapes) {
      const units = { ...matrix, dialect };
      await headKernel('compiled', matrixText(shape, GRID, units, HEAD_TEXTS.forward)).compile(t.gpu, {
        FORMAT: 1,
      });
      await headGradKernel('compiled', matrixText(shape, GRID, units, HEAD_TEXTS.grad)).compile(t.gpu);
    }
  expect(t.gpu.errors).toEqual([]);
});
