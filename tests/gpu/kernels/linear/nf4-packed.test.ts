import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openNodeGpu } from '../../../../src/cli/node-gpu.ts';
import {
  PACKED_FORWARD,
  PACKED_GRAD,
  packedBytes,
  packedForward,
  packedGrad,
  prepareForward,
  prepareGrad,
} from '../../../../src/gpu/kernels/linear/nf4-packed.ts';
import {
  type PackedKernels,
  packedKernels,
  packedTexts,
} from '../../../../src/gpu/kernels/linear/packed-operands.ts';
import { largest } from '../../../../src/gpu/kernels/shared/subgroup-matrix-kernels.ts';
import { type BufferView, view } from '../../../../src/gpu/memory.ts';
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
      const call = { ...common, x, y, lora: forward, residual };
      packedForward(t.stream, kernels, { ...call, scratch: t.output(inY / 4) });
      packedGrad(t.stream, kernels, {
        ...{ ...common, dy, dx, lora: backward, accumulate: false },
        scratch: t.output(inDx / 4),
      });
      outcomes.push([await t.bytes(y), await t.bytes(dx)]);
    }
    expect(outcomes[1], name).toEqual(outcomes[0]);
  }
});

/** Modules of one input or output: columns, depth and rank of each. */
const MODULES = {
  forward: [
    [132, 64, 5],
    [260, 64, 40],
    [64, 64, 0],
  ],
  gradient: [
    [132, 96, 5],
    [32, 96, 40],
    [64, 96, 0],
  ],
} as const;

describe.each([
  ['all of them', ROOM, 1],
  ['one at a time, for want of scratch', 0, 3],
])('products of several weights, decoded %s', (_, room, decodings) => {
  /** Kernels by the first word of their names, how often each was called. */
  const counting = () => {
    const calls = new Map<string, number>();
    t.stream.listener = ({ spec }) => {
      const [kernel] = spec.name.split(' ');
      calls.set(kernel!, (calls.get(kernel!) ?? 0) + 1);
    };
    return calls;
  };
  const rows = 70;

  it.each(['forward', 'gradient'] as const)(
    '%s: have the bits of each alone, packed at once',
    async (direction) => {
      const random = new Random(2);
      const forward = direction === 'forward';
      const modules = MODULES[direction];
      const x = t.upload(uneven(random, rows, 64));
      // LoRA's activations in one buffer, its matrices in another, each at a multiple of 256 bytes.
      const all = t.upload(random.normals(3 * rows * 64));
      const matrices = t.upload(random.normals(3 * 260 * 64));
      const made = modules.map(([columns, depth, rank], i) => ({
        ...{ columns, depth, weight: randomNf4(t, random, columns, depth, true).weight },
        dy: t.upload(uneven(random, rows, columns)),
        lora: rank
          ? {
              activations: view(all.buffer, 4 * 64 * i * rows, 4 * rows * rank),
              matrix: view(matrices.buffer, 4 * 64 * i * 260, 4 * rank * (forward ? columns : depth)),
              rank,
            }
          : undefined,
      }));
      for (const { name, kernels } of ways) {
        const scales = t.output(3 * 128);
        const least = leastScratch(kernels, direction, rows);
        const scratch = t.output((room || least / 4) + 1);
        const inScratch = (i: number) => ({ rowScales: view(scales.buffer, 512 * i, 4 * rows), scratch });
        const calls = counting();
        const outputs: BufferView[] = [];
        if (forward) {
          const shared = { scaled: false };
          const products = made.map(({ weight, columns, lora }) => {
            const y = t.output(rows * columns);
            outputs.push(y);
            return { x, weight, y, rows, lora, shared, ...inScratch(0) };
          });
          const prepared = prepareForward(t.stream, kernels, products);
          products.forEach((call, i) =>
            packedForward(t.stream, kernels, { ...call, prepared: prepared![i] }),
          );
        } else {
          const dx = t.output(rows * 96);
          outputs.push(dx);
          const products = made.map(({ weight, dy, lora }, i) => ({
            ...{ dy, weight, dx, rows, lora, accumulate: i > 0, ...inScratch(i) },
          }));
          const prepared = prepareGrad(t.stream, kernels, products);
          products.forEach((call, i) => packedGrad(t.stream, kernels, { ...call, prepared: prepared![i] }));
        }
        t.stream.listener = undefined;
        expect(calls.get('row_scale'), name).toBe(1);
        expect(calls.get('pack_rows'), name).toBe(1);
        expect(calls.get('pack_weights'), name).toBe(decodings);
        const alone = forward ? [] : [t.output(rows * 96)];
        made.forEach(({ weight, columns, dy, lora }, i) => {
          const own = { weight, rows, lora, rowScales: t.output(rows), scratch: t.output(ROOM) };
          if (forward) {
            const y = t.output(rows * columns);
            alone.push(y);
            packedForward(t.stream, kernels, { ...own, x, y });
          } else {
            packedGrad(t.stream, kernels, { ...own, dy, dx: alone[0]!, accumulate: i > 0 });
          }
        });
        for (const [i, output] of outputs.entries()) {
          expect(await t.bytes(output), name).toEqual(await t.bytes(alone[i]!));
        }
      }
    },
  );
});

/** Bytes that hold all left operands of these modules and the largest weight, but not two. */
function leastScratch(
  { shape: { M, N, K }, halfBytes }: PackedKernels,
  direction: keyof typeof MODULES,
  rows: number,
) {
  const edge = Math.max(N, K);
  const up = (n: number, to: number) => Math.ceil(n / to) * to;
  const sizes = MODULES[direction].map(([columns, depth, rank]) => {
    const [width, inner] = direction === 'forward' ? [columns, depth] : [depth, columns];
    const ranks = up(rank, edge);
    const left = up(rows, 8 * M) * halfBytes * (direction === 'forward' ? ranks : up(inner, edge) + ranks);
    return { left, right: up(width, 8 * N) * (up(inner, edge) + ranks) * halfBytes };
  });
  const shared = direction === 'forward' ? up(rows, 8 * M) * halfBytes * up(64, edge) : 0;
  const lefts = sizes.reduce((sum, { left }) => sum + left, shared);
  return up(lefts, 256) + 3 * 256 + Math.max(...sizes.map(({ right }) => right));
}

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
