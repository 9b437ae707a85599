import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openNodeGpu } from '../../../../src/cli/node-gpu.ts';
import {
  PACKED_FORWARD,
  PACKED_GRAD,
  packedBytes,
  packedForward,
  packedGrad,
  type PackedKernels,
  packedKernels,
  packedTexts,
} from '../../../../src/gpu/kernels/linear/nf4-packed.ts';
import { largest } from '../../../../src/gpu/kernels/shared/subgroup-matrix-kernels.ts';
import { SIZE_FEATURE } from '../../../../src/gpu/subgroup-matrices.ts';
import { add, matmulRef, transpose } from '../../../reference/ops/matmul.ts';
import { f64, TestGpu } from '../../../support/gpu.ts';
import { randomNf4, randomWeight } from '../../../support/nf4.ts';
import { Random } from '../../../support/random.ts';
import { packedWithoutMatrixUnits } from '../../../support/stand-ins.ts';
import { magnitude, uneven, worstRow } from '../../../support/uneven-rows.ts';

interface Way {
  name: string;
  /** Largest relative error: f32's, or that of f16 operands. */
  tolerance: number;
  kernels: PackedKernels;
}

let t: TestGpu;
let ways: Way[];

beforeAll(async () => {
  t = new TestGpu(await openNodeGpu());
  const { device, matrix } = t.gpu;
  if (!matrix) {
    // With stand-ins, the layout is what is tested, on matrices that are not square.
    ways = [{ name: 'arrays for subgroup matrices', tolerance: 1e-5, kernels: packedWithoutMatrixUnits(t) }];
    return;
  }
  const shape = largest(matrix.shapes);
  const others = [matrix, { ...matrix, dialect: 'flag' as const }];
  if (device.features.has(SIZE_FEATURE)) {
    others.push({ ...matrix, sized: true });
  }
  ways = others.map((one) => ({
    name: `${one.dialect}${one.sized ? ', subgroups of a size asked for' : ''}`,
    tolerance: 1e-3,
    kernels: packedKernels(shape, packedTexts(shape, one)),
  }));
});

afterAll(() => t.close());

/** Scratch for all rows of these tests at once, whatever the matrices' shape. */
const ROOM = 2 ** 18;

// rows (tokens) × columns (out) over depth (in).
const SHAPES = [
  [9, 132, 64],
  [130, 60, 96],
  [129, 260, 32],
] as const;

describe.each(SHAPES)('products of packed operands: %i rows, %i out, %i in', (rows, columns, depth) => {
  it.each([
    ['nf4', false, 0],
    ['nested', true, 37],
    ['bf16', true, 5],
    ['f16', false, 8],
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
    for (const { name, tolerance, kernels } of ways) {
      const y = t.output(rows * columns);
      const inScratch = { rowScales: t.output(rows), scratch: t.output(ROOM) };
      packedForward(t.stream, kernels, { x: t.upload(x), weight, y, rows, lora, ...inScratch, ...extra });
      expect(worstRow(await t.floats(y), expected, columns), name).toBeLessThan(tolerance);
    }
  });

  it.each([
    ['nf4', false, 0],
    ['nested', true, 37],
    ['bf16', true, 5],
    ['f16', false, 8],
  ] as const)('gradient: %s, accumulate %s, rank %i', async (stored, accumulate, rank) => {
    const random = new Random(rows * 104729 + columns * 31 + depth + rank);
    const { weight, decoded } = randomWeight(t, random, columns, depth, stored);
    const dy = uneven(random, rows, columns);
    const v = random.normals(rows * rank).map((n, i) => n * magnitude(Math.floor(i / rank)));
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
    for (const { name, tolerance, kernels } of ways) {
      const dx = accumulate ? t.upload(before) : t.output(rows * depth);
      const inScratch = { rowScales: t.output(rows), scratch: t.output(ROOM) };
      packedGrad(t.stream, kernels, { dy: t.upload(dy), weight, dx, rows, lora, accumulate, ...inScratch });
      expect(worstRow(await t.floats(dx), expected, depth), name).toBeLessThan(tolerance);
    }
  });
});

// 130 rows are two tiles with matrices of 16 rows, three with matrices of 8.
it('with scratch for the weight and one tile of rows, the bits are those of all rows at once', async () => {
  const random = new Random(1);
  const [rows, columns, depth, rank] = [130, 128, 64, 8];
  const { weight } = randomNf4(t, random, columns, depth, true);
  const lora = (width: number) => ({
    ...{ activations: t.upload(random.normals(rows * rank)), matrix: t.upload(random.normals(rank * width)) },
    rank,
  });
  const x = t.upload(uneven(random, rows, depth));
  const dy = t.upload(uneven(random, rows, columns));
  const [forward, backward] = [lora(columns), lora(depth)];
  const residual = t.upload(random.normals(rows * columns));
  for (const { name, kernels } of ways) {
    const { M, N } = kernels.shape;
    const bytesOf = (width: number, inner: number) =>
      (8 * M + Math.ceil(width / (8 * N)) * 8 * N) * (inner + Math.ceil(rank / 16) * 16) * kernels.halfBytes;
    const outcomes = [];
    for (const [inY, inDx] of [
      [4 * ROOM, 4 * ROOM],
      [bytesOf(columns, depth), bytesOf(depth, columns)],
    ] as const) {
      const [y, dx] = [t.output(rows * columns), t.output(rows * depth)];
      const common = { weight, rows, rowScales: t.output(rows) };
      const shared = { scaled: false, packed: false, rank };
      const call = { ...common, x, y, lora: forward, residual, shared };
      packedForward(t.stream, kernels, { ...call, scratch: t.output(inY / 4) });
      packedGrad(t.stream, kernels, {
        ...{ ...common, dy, dx, lora: backward, accumulate: false },
        scratch: t.output(inDx / 4),
      });
      expect(shared, name).toEqual({ scaled: true, packed: inY === 4 * ROOM, rank });
      outcomes.push([await t.bytes(y), await t.bytes(dx)]);
    }
    expect(outcomes[1], name).toEqual(outcomes[0]);
  }
});

it('products that share their input pack it once, whatever their ranks and widths', async () => {
  const random = new Random(2);
  const rows = 70;
  const x = t.upload(uneven(random, rows, 64));
  const modules = [
    [132, 5],
    [260, 40],
    [64, 0],
  ].map(([columns, rank]) => {
    const { weight } = randomNf4(t, random, columns!, 64, true);
    const activations = t.upload(random.normals(rows * Math.max(1, rank!)));
    const matrix = t.upload(random.normals(columns! * Math.max(1, rank!)));
    return { weight, lora: rank ? { activations, matrix, rank } : undefined };
  });
  for (const { name, kernels } of ways) {
    const shared = { scaled: false, packed: false, rank: 40 };
    const [scratch, rowScales] = [t.output(ROOM), t.output(rows)];
    const packed: string[] = [];
    t.stream.listener = ({ spec }) => packed.push(spec.name.split(' ')[0]!);
    const together = modules.map(({ weight, lora }) => {
      const y = t.output(rows * weight.columns);
      packedForward(t.stream, kernels, { x, weight, y, rows, lora, rowScales, scratch, shared });
      return y;
    });
    t.stream.listener = undefined;
    // The rows of x, and the activations of the two that have a LoRA pair.
    expect(packed.filter((kernel) => kernel === 'row_scale').length, name).toBe(1);
    expect(packed.filter((kernel) => kernel === 'pack_rows').length, name).toBe(3);
    expect(packed.filter((kernel) => kernel === 'pack_weights').length, name).toBe(3);
    for (const [i, { weight, lora }] of modules.entries()) {
      const y = t.output(rows * weight.columns);
      packedForward(t.stream, kernels, { x, weight, y, rows, lora, rowScales: t.output(rows), scratch });
      expect(await t.bytes(together[i]!), name).toEqual(await t.bytes(y));
    }
  }
});

it('the variant packs passes of 64 rows and more where the weight fits its scratch', ({ skip }) => {
  const [forward, gradient] = [PACKED_FORWARD[0]!, PACKED_GRAD[0]!];
  if (!forward.supported(t.gpu)) {
    return skip('the device has no subgroup matrices');
  }
  const random = new Random(3);
  const { weight } = randomNf4(t, random, 128, 64, true);
  const used = (rows: number, scratch: number | undefined) => {
    const kernels = new Set<string>();
    t.stream.listener = ({ spec }) => kernels.add(spec.name.split(' ')[0]!);
    const inScratch = {
      rowScales: t.output(rows),
      scratch: scratch === undefined ? undefined : t.output(scratch / 4),
    };
    const [x, y] = [t.output(rows * 64), t.output(rows * 128)];
    forward.dispatch(t.stream, { x, weight, y, rows, ...inScratch });
    gradient.dispatch(t.stream, { dy: y, weight, dx: x, rows, accumulate: false, ...inScratch });
    t.stream.listener = undefined;
    return [...kernels].filter((name) => name.startsWith('nf4_')).sort();
  };
  const enough = Math.max(
    packedBytes(t.gpu, { rows: 1, columns: 128, inner: 64, rank: 0 }),
    packedBytes(t.gpu, { rows: 1, columns: 64, inner: 128, rank: 0 }),
  );
  const packed = ['nf4_matmul_grad_packed', 'nf4_matmul_packed'];
  const fused = ['nf4_matmul_grad_matrix', 'nf4_matmul_matrix'];
  expect(used(64, enough)).toEqual(packed);
  expect(used(300, enough)).toEqual(packed);
  expect(used(63, enough)).toEqual(fused);
  expect(used(64, undefined)).toEqual(fused);
  expect(used(64, 4096)).toEqual(fused);
});
