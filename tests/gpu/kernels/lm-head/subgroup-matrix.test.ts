import { afterAll, beforeAll, expect, it } from 'vitest';
import { openNodeGpu } from '../../../../src/cli/node-gpu.ts';
import { chooseKernels } from '../../../../src/gpu/autotune/autotune.ts';
import { LM_HEADS } from '../../../../src/gpu/kernels/lm-head/index.ts';
import { headSlices, type Table } from '../../../../src/gpu/kernels/lm-head/lm-head.ts';
import {
  dispatchHead,
  dispatchHeadGrad,
  HEAD_TEXTS,
  type HeadBackward,
  type HeadForward,
  headGradKernel,
  headKernel,
} from '../../../../src/gpu/kernels/lm-head/subgroup-matrix.ts';
import { GRIDS, matrixText } from '../../../../src/gpu/kernels/shared/subgroup-matrix-kernels.ts';
import { matmulRef, transpose } from '../../../reference/ops/matmul.ts';
import { f64, relativeError, TestGpu } from '../../../support/gpu.ts';
import { Random } from '../../../support/random.ts';
import { standInTile, withoutMatrixUnits } from '../../../support/stand-ins.ts';

let t: TestGpu;
let ways: Way[];

beforeAll(async () => {
  t = new TestGpu(await openNodeGpu());
  ways = waysHere();
});

afterAll(() => t.close());

interface Way {
  name: string;
  tolerance: number;
  forward(call: HeadForward): void;
  backward(call: HeadBackward): void;
}

/** On the device's subgroup matrices, otherwise with arrays in their place. */
function waysHere(): Way[] {
  const real = LM_HEADS.filter((head) => head.precision === 'matrix' && head.supported(t.gpu));
  if (real.length > 0) {
    return real.map((head) => ({
      name: head.name,
      tolerance: 1e-3,
      forward: (call) => head.forward(t.stream, call),
      backward: (call) => head.backward(t.stream, call),
    }));
  }
  const grid = GRIDS[0]!;
  const tile = standInTile(grid);
  const forward = headKernel('head', withoutMatrixUnits(t, grid, HEAD_TEXTS.forward));
  const grad = headGradKernel('head gradient', withoutMatrixUnits(t, grid, HEAD_TEXTS.grad));
  return [
    {
      name: 'arrays for subgroup matrices',
      tolerance: 1e-5,
      forward: (call) => dispatchHead(t.stream, forward, tile, call),
      backward: (call) => dispatchHeadGrad(t.stream, grad, tile, call),
    },
  ];
}

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

    for (const way of ways) {
      const logits = t.output(rows * vocab);
      way.forward({ x: t.upload(x), table, logits, rows, rowScales: t.output(rows) });
      expect(relativeError(await t.floats(logits), forward), way.name).toBeLessThan(way.tolerance);
      const scratch = t.output(headSlices(parts) * rows * width);
      const dx = t.output(rows * width);
      way.backward({ dlogits: t.upload(dlogits), table, scratch, dx, rows, gradScale });
      expect(relativeError(await t.floats(dx), backward), way.name).toBeLessThan(way.tolerance);
    }
  },
);

// SwiftShader has no subgroup matrices; llvmpipe has.
it('compiles for the subgroup matrices of a device that has some, in both dialects', async ({ skip }) => {
  const { matrix } = t.gpu;
  if (!matrix) {
    return skip('the device has no subgroup matrices');
  }
  for (const dialect of ['flag', matrix.dialect] as const) {
    for (const shape of matrix.shapes) {
      const [grid] = GRIDS;
      const units = { ...matrix, dialect };
      await headKernel('compiled', matrixText(shape, grid!, units, HEAD_TEXTS.forward)).compile(t.gpu, {
        FORMAT: 1,
      });
      await headGradKernel('compiled', matrixText(shape, grid!, units, HEAD_TEXTS.grad)).compile(t.gpu);
    }
  }
  expect(t.gpu.errors).toEqual([]);
});

it('a table of 32-bit values keeps them on subgroup matrices too', async () => {
  const [vocab, width, rows] = [70, 32, 3];
  const random = new Random(Date.now());
  const values = random.normals(vocab * width);
  const parts = [{ view: t.upload(values), begin: 0, count: vocab }];
  const table: Table = { parts, format: 'f32', vocab, width };
  const x = random.normals(rows * width);
  const logits = t.output(rows * vocab);
  const [scratch, dx] = [t.output(headSlices(parts) * rows * width), t.output(rows * width)];
  const forward = matmulRef(f64(x), transpose(f64(values), vocab, width), rows, width, vocab);
  for (const head of LM_HEADS) {
    head.forward(t.stream, { x: t.upload(x), table, logits, rows, rowScales: t.output(rows) });
    expect(relativeError(await t.floats(logits), forward), head.name).toBeLessThan(1e-5);
    head.backward(t.stream, { dlogits: logits, table, scratch, dx, rows, gradScale: 64 });
    const backward = matmulRef(forward, f64(values), rows, vocab, width);
    expect(relativeError(await t.floats(dx), backward), head.name).toBeLessThan(1e-5);
  }
});

it('is tried against the f32 head where there are subgroup matrices, and found correct', async ({ skip }) => {
  if (!t.gpu.matrix) {
    return skip('the device has no subgroup matrices');
  }
  const notes: string[] = [];
  const tiles = await chooseKernels(
    { ...t.gpu, software: false },
    {
      ...{
        precision: 'matrix',
        shapes: [],
        width: 96,
        rows: 40,
        longest: 16,
        rank: 8,
        nested: true,
        scratch: 2 ** 20,
      },
      head: { vocab: 1000, rows: 40 },
      attention: { heads: 2, kvHeads: 1, headDim: 8 },
    },
    { onProgress: () => undefined, note: (text) => void notes.push(text) },
  );
  expect(notes).toEqual([]);
  expect(LM_HEADS.map(({ name }) => name)).toContain(tiles['head']);
});
