import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openNodeGpu } from '../../../../src/cli/node-gpu.ts';
import {
  dispatchForward,
  dispatchGrad,
  forwardKernel,
  gradKernel,
  HALF_FORWARD,
  HALF_GRAD,
  HALF_SUMS,
  HALF_TEXTS,
} from '../../../../src/gpu/kernels/linear/nf4-f16.ts';
import type { Nf4Matmul, Nf4MatmulGrad } from '../../../../src/gpu/kernels/linear/nf4-operands.ts';
import { rowScale } from '../../../../src/gpu/kernels/shared/row-scale.ts';
import { GRIDS, matrixText, matrixTile } from '../../../../src/gpu/kernels/shared/subgroup-matrix-kernels.ts';
import type { Stream } from '../../../../src/gpu/stream.ts';
import { SIZE_FEATURE, type SubgroupMatrices } from '../../../../src/gpu/subgroup-matrices.ts';
import { add, matmulRef, transpose } from '../../../reference/ops/matmul.ts';
import { f64, TestGpu } from '../../../support/gpu.ts';
import { randomNf4, randomWeight } from '../../../support/nf4.ts';
import { Random } from '../../../support/random.ts';
import { standInTile, withoutHalves, withoutMatrixUnits } from '../../../support/stand-ins.ts';
import { magnitude, uneven, worstRow } from '../../../support/uneven-rows.ts';

interface Way {
  name: string;
  /** Largest relative error: f32's, or that of f16 operands. */
  tolerance: number;
  forward: (stream: Stream, call: Nf4Matmul) => void;
  grad: (stream: Stream, call: Nf4MatmulGrad) => void;
}

/** With stand-ins, the layout is what is tested. */
function standIns(): Way[] {
  const half = { rows: 64, columns: 128 };
  const forward = forwardKernel('half forward', withoutHalves(HALF_TEXTS.forward));
  const grad = gradKernel('half gradient', withoutHalves(HALF_TEXTS.grad));
  return [
    ...HALF_SUMS.map(({ name, constants }) => ({
      name: `${name}, floats for halves`,
      tolerance: 1e-5,
      forward: (stream: Stream, call: Nf4Matmul) => dispatchForward(stream, forward, half, call, constants),
      grad: (stream: Stream, call: Nf4MatmulGrad) => dispatchGrad(stream, grad, half, call, constants),
    })),
    ...(t.gpu.matrix ? [] : [arraysForUnits()]),
  ];
}

/** For a device without subgroup matrices. */
function arraysForUnits(): Way {
  const grid = GRIDS[0]!;
  const tile = standInTile(grid);
  const forward = forwardKernel('forward', withoutMatrixUnits(t, grid, HALF_TEXTS.matrixForward));
  const grad = gradKernel('gradient', withoutMatrixUnits(t, grid, HALF_TEXTS.matrixGrad));
  return {
    name: 'matrices with arrays for subgroup matrices',
    tolerance: 1e-5,
    forward: (stream, call) => dispatchForward(stream, forward, tile, call),
    grad: (stream, call) => dispatchGrad(stream, grad, tile, call),
  };
}

/** On subgroup matrices as other devices or browsers have them: `units` says what differs here. */
function otherUnits(name: string, units: SubgroupMatrices): Way {
  const [shape] = units.shapes;
  const grid = GRIDS[0]!;
  const tile = matrixTile(shape!, grid);
  const forward = forwardKernel(name, matrixText(shape!, grid, units, HALF_TEXTS.matrixForward));
  const grad = gradKernel(name, matrixText(shape!, grid, units, HALF_TEXTS.matrixGrad));
  return {
    name,
    tolerance: 1e-3,
    forward: (stream, call) => dispatchForward(stream, forward, tile, call),
    grad: (stream, call) => dispatchGrad(stream, grad, tile, call),
  };
}

let t: TestGpu;
let ways: Way[];

beforeAll(async () => {
  t = new TestGpu(await openNodeGpu());
  const { device, matrix } = t.gpu;
  ways = [
    ...standIns(),
    ...(matrix ? [otherUnits('matrices in the older dialect', { ...matrix, dialect: 'flag' })] : []),
    ...(matrix && device.features.has(SIZE_FEATURE)
      ? [otherUnits('matrices in subgroups of a size asked for', { ...matrix, sized: true })]
      : []),
    ...HALF_FORWARD.flatMap((variant) => {
      const grad = HALF_GRAD.find(({ name }) => name === variant.name)!;
      if (!variant.supported(t.gpu)) {
        return [];
      }
      // Where sixteen products at a time are added in f16.
      const tolerance = variant.name === HALF_SUMS[1].name ? 2e-3 : 1e-3;
      return { name: variant.name, tolerance, forward: variant.dispatch, grad: grad.dispatch };
    }),
  ];
});

afterAll(() => t.close());

// rows (tokens) × columns (out) over depth (in).
const shapes = [
  [9, 132, 64],
  [65, 60, 96],
  [68, 260, 32],
] as const;

describe.each(shapes)('NF4 products above f32: %i rows, %i out, %i in', (rows, columns, depth) => {
  it.each([
    ['nf4', false, 0],
    ['nested', true, 37],
    ['bf16', true, 5],
    ['f16', false, 0],
  ] as const)('%s, bias and residual %s, rank %i', async (stored, extras, rank) => {
    const random = new Random(rows * 7919 + columns * 31 + depth + rank);
    const { weight, decoded } = randomWeight(t, random, columns, depth, stored);
    const x = uneven(random, rows, depth);
    const u = random.normals(rows * rank).map((v, i) => v * magnitude(Math.floor(i / rank)));
    const b = random.normals(columns * rank);
    const bias = random.normals(columns);
    const residual = random.normals(rows * columns);
    let expected = matmulRef(f64(x), transpose(decoded, columns, depth), rows, depth, columns);
    if (rank) {
      expected = add(expected, matmulRef(f64(u), transpose(f64(b), columns, rank), rows, rank, columns));
    }
    if (extras) {
      expected = add(expected, residual).map((v, i) => v + bias[i % columns]!);
    }
    const lora = rank ? { activations: t.upload(u), matrix: t.upload(b), rank } : undefined;
    const extra = extras ? { bias: t.upload(bias), residual: t.upload(residual) } : {};
    for (const { name, tolerance, forward } of ways) {
      const y = t.output(rows * columns);
      const rowScales = t.output(rows);
      forward(t.stream, { x: t.upload(x), weight, y, rows, lora, rowScales, ...extra });
      expect(worstRow(await t.floats(y), expected, columns), name).toBeLessThan(tolerance);
    }
  });

  it.each([
    ['nf4', false, 0],
    ['nested', true, 37],
    ['bf16', true, 5],
    ['f16', false, 0],
  ] as const)('gradient: %s, accumulate %s, rank %i', async (stored, accumulate, rank) => {
    const random = new Random(rows * 104729 + columns * 31 + depth + rank);
    const { weight, decoded } = randomWeight(t, random, columns, depth, stored);
    const dy = uneven(random, rows, columns);
    const v = random.normals(rows * rank).map((x, i) => x * magnitude(Math.floor(i / rank)));
    const a = random.normals(rank * depth);
    const before = uneven(random, rows, depth);
    let expected = matmulRef(f64(dy), decoded, rows, columns, depth);
    if (rank) {
      expected = add(expected, matmulRef(f64(v), f64(a), rows, rank, depth));
    }
    if (accumulate) {
      expected = add(expected, before);
    }
    const lora = rank ? { activations: t.upload(v), matrix: t.upload(a), rank } : undefined;
    for (const { name, tolerance, grad } of ways) {
      const dx = accumulate ? t.upload(before) : t.output(rows * depth);
      const rowScales = t.output(rows);
      grad(t.stream, { dy: t.upload(dy), weight, dx, rows, lora, accumulate, rowScales });
      expect(worstRow(await t.floats(dx), expected, depth), name).toBeLessThan(tolerance);
    }
  });
});

it('the same bits twice', async () => {
  const random = new Random(Date.now());
  const { weight } = randomNf4(t, random, 128, 96, true);
  const x = t.upload(uneven(random, 33, 96));
  for (const { name, forward } of ways) {
    const runs = [];
    for (let i = 0; i < 2; i++) {
      const y = t.output(33 * 128);
      forward(t.stream, { x, weight, y, rows: 33, rowScales: t.output(33) });
      runs.push(await t.bytes(y));
    }
    expect(runs[1], name).toEqual(runs[0]);
  }
});

it('products that share their input take the scales that the first has left', async () => {
  const random = new Random(Date.now());
  const { weight } = randomNf4(t, random, 132, 64, true);
  const x = t.upload(uneven(random, 33, 64));
  const [scales, poison] = [t.output(33), t.output(33)];
  for (const { name, forward } of ways) {
    const [first, second, third] = [t.output(33 * 132), t.output(33 * 132), t.output(33 * 132)];
    const call = { x, weight, rows: 33 };
    const shared = { scaled: false };
    forward(t.stream, { ...call, y: first, rowScales: scales, shared });
    expect(shared.scaled, name).toBe(true);
    forward(t.stream, { ...call, y: second, rowScales: scales, shared });
    forward(t.stream, { ...call, y: third, rowScales: poison, shared });
    expect(await t.bytes(second), name).toEqual(await t.bytes(first));
    expect(await t.bytes(third), name).not.toEqual(await t.bytes(first));
  }
});

// SwiftShader has none; llvmpipe has.
it('compiles for the subgroup matrices of a device that has some, in both dialects', async ({ skip }) => {
  const { device, matrix } = t.gpu;
  if (!matrix) {
    return skip('the device has no subgroup matrices');
  }
  for (const dialect of ['flag', matrix.dialect] as const) {
    for (const shape of matrix.shapes) {
      for (const [code, make] of [
        [HALF_TEXTS.matrixForward, forwardKernel],
        [HALF_TEXTS.matrixGrad, gradKernel],
      ] as const) {
        const text = matrixText(shape, { down: 2, across: 2 }, { ...matrix, dialect }, code);
        await make('compiled', text).compile(t.gpu, { NESTED: 1 });
      }
    }
  }
  expect(t.gpu.errors).toEqual([]);
  expect(device.features.has('shader-f16')).toBe(true);
});

it.each([
  [1, 4],
  [3, 260],
  [70, 1028],
])('scales of %i rows of %i are powers of two that bring the largest to [32, 64)', async (rows, width) => {
  const random = new Random(rows + width);
  const x = uneven(random, rows, width);
  const scales = t.output(rows);
  rowScale(t.stream, { x: t.upload(x), scales, rows, width });
  for (const [m, scale] of (await t.floats(scales)).entries()) {
    expect(Number.isInteger(Math.log2(scale))).toBe(true);
    const most = x.subarray(m * width, (m + 1) * width).reduce((max, v) => Math.max(max, Math.abs(v)), 0);
    expect(most / scale).toBeGreaterThanOrEqual(32);
    expect(most / scale).toBeLessThan(64);
  }
});

it('a row of zeros has a scale too', async () => {
  const scales = t.output(1);
  rowScale(t.stream, { x: t.upload(new Float32Array(8)), scales, rows: 1, width: 8 });
  const [scale] = await t.floats(scales);
  expect(Number.isFinite(1 / scale!)).toBe(true);
});
