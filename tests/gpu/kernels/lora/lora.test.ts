import { describe, expect, it } from 'vitest';
import type { Gated } from '../../../../src/gpu/kernels/gated-halves.ts';
import {
  dropoutKeep,
  dropoutKey,
  dropoutThreshold,
  moduleKey,
} from '../../../../src/gpu/kernels/lora/dropout-mask.ts';
import { loraGradient } from '../../../../src/gpu/kernels/lora/gradient.ts';
import { LORA_SCRATCH, loraProject } from '../../../../src/gpu/kernels/lora/project.ts';
import { swiglu } from '../../../../src/gpu/kernels/swiglu.ts';
import { type BufferView, view } from '../../../../src/gpu/memory.ts';
import { dropoutRef } from '../../../reference/ops/dropout.ts';
import { add, matmulRef, transpose } from '../../../reference/ops/matmul.ts';
import { f64, relativeError, type TestGpu, testGpu } from '../../../support/gpu.ts';
import { Random } from '../../../support/random.ts';

interface Part {
  width: number;
  rank: number;
}

interface Case {
  rows: number;
  parts: Part[];
}

// Tiles are 16 or 64 rows and 32 ranks wide; slices begin at depths of 128, or of more where there are tiles enough.
// From 32 tiles of 16 rows on, one workgroup takes all slices.
const cases: Case[] = [
  { rows: 1, parts: [{ width: 32, rank: 1 }] },
  { rows: 63, parts: [{ width: 36, rank: 33 }] },
  { rows: 65, parts: [{ width: 132, rank: 31 }] },
  { rows: 1, parts: [{ width: 4480, rank: 8 }] },
  {
    rows: 131,
    parts: [
      { width: 160, rank: 32 },
      { width: 32, rank: 7 },
      { width: 132, rank: 65 },
    ],
  },
  {
    rows: 385,
    parts: [
      { width: 320, rank: 5 },
      { width: 64, rank: 40 },
    ],
  },
  // So many tiles that longer slices suffice.
  { rows: 129, parts: [{ width: 24640, rank: 1 }] },
];

/** Several arrays in one buffer, as views starting at multiples of 256 bytes, with NaN between them. */
function together(t: TestGpu, arrays: Float32Array[]) {
  const begins: number[] = [];
  let at = 64;
  for (const { length } of arrays) {
    begins.push(at);
    at += Math.ceil(length / 64) * 64 + 64;
  }
  const all = new Float32Array(at).fill(NaN);
  arrays.forEach((array, i) => all.set(array, begins[i]));
  const { buffer } = t.upload(all);
  return arrays.map(({ length }, i) => view(buffer, 4 * begins[i]!, 4 * length));
}

const bits = (arrays: Float32Array[]): string =>
  arrays.map((a) => Buffer.from(a.buffer).toString('base64')).join(' ');

/** The gradients of both matrices of each pair. */
const both = <P>(pairs: P[]) => ({ B: pairs, A: pairs });

const poison = (n: number): Float32Array => new Float32Array(n).fill(NaN);

describe.each(cases)('$rows rows, factors $parts', ({ rows, parts }) => {
  const random = new Random(rows * 7919 + parts.reduce((sum, p) => 31 * sum + p.width + p.rank, 0));
  const wide = parts.map(({ width }) => random.normals(rows * width));
  const factor = parts.map(({ width, rank }) => random.normals(width * rank));
  const narrow = parts.map(({ rank }) => random.normals(rows * rank));

  async function project(t: TestGpu, wByRank: boolean): Promise<Float32Array[]> {
    const w = together(t, factor);
    const out = together(
      t,
      parts.map(({ rank }) => poison(rows * rank)),
    );
    loraProject(t.stream, {
      parts: parts.map(({ width: depth, rank }, i) => ({
        ...{ x: t.upload(wide[i]!), w: w[i]!, out: out[i]!, depth, rank, alpha: 0.5 + i },
      })),
      ...{ rows, wByRank, scratch: t.output(LORA_SCRATCH) },
    });
    return Promise.all(out.map((o) => t.floats(o)));
  }

  it.each([false, true])('project, the matrix by rank: %s', async (wByRank) => {
    const found = await project(await testGpu(), wByRank);
    parts.forEach(({ width, rank }, i) => {
      const matrix = wByRank ? f64(factor[i]!) : transpose(f64(factor[i]!), rank, width);
      const expected = matmulRef(f64(wide[i]!), matrix, rows, width, rank).map((v) => v * (0.5 + i));
      expect(relativeError(found[i]!, expected)).toBeLessThan(1e-5);
    });
  });

  // The pairs' shared input.
  const depth = parts[0]!.width + 28;
  const x = random.normals(rows * depth);
  const second = parts.map(({ rank }) => random.normals(rows * rank));
  const start = parts.flatMap(({ width, rank }) => [
    random.normals(width * rank),
    random.normals(rank * depth),
  ]);

  /** dB and dA of each pair. */
  async function gradient(t: TestGpu): Promise<Float32Array[]> {
    const out = together(t, start);
    const [u, v] = [together(t, narrow), together(t, second)];
    loraGradient(t.stream, {
      ...both(
        parts.map(({ width, rank }, i) => ({
          ...{
            dy: t.upload(wide[i]!),
            u: u[i]!,
            v: v[i]!,
            dB: out[2 * i]!,
            dA: out[2 * i + 1]!,
            width,
            rank,
          },
        })),
      ),
      ...{ x: t.upload(x), depth, tokens: rows },
    });
    return Promise.all(out.map((o) => t.floats(o)));
  }

  it('gradients of both factors', async () => {
    const found = await gradient(await testGpu());
    parts.forEach(({ width, rank }, i) => {
      const dB = matmulRef(transpose(f64(wide[i]!), rows, width), f64(narrow[i]!), width, rows, rank);
      const dA = matmulRef(transpose(f64(second[i]!), rows, rank), f64(x), rank, rows, depth);
      expect(relativeError(found[2 * i]!, add(dB, f64(start[2 * i]!)))).toBeLessThan(1e-5);
      expect(relativeError(found[2 * i + 1]!, add(dA, f64(start[2 * i + 1]!)))).toBeLessThan(1e-5);
    });
  });

  const mixed = parts.length === 3;
  if (mixed) {
    it('gives the same bits twice', async () => {
      const t = await testGpu();
      expect(bits(await project(t, false))).toBe(bits(await project(t, false)));
      expect(bits(await gradient(t))).toBe(bits(await gradient(t)));
    });
  }
});

it('masks the input for each factor by its own module, on its way in and for its gradient', async () => {
  const t = await testGpu();
  const [rows, width, rate] = [67, 164, 0.3];
  const random = new Random(11);
  const x = random.normals(rows * width);
  const keys = Uint32Array.from({ length: 2 * rows }, (_, i) =>
    i % 2 === 0 ? dropoutKey(42, 1, Math.floor(i / 14)) : ((i - 1) / 2) % 7,
  );
  const dropout = {
    tokenKeys: t.upload(keys),
    rate,
    moduleKeys: [0, 1, 2].map((projection) => moduleKey(5, projection)),
  };
  const masked = dropout.moduleKeys.map((module) =>
    dropoutRef(f64(x), width, rate, (token, feature) =>
      dropoutKeep(keys[2 * token]!, module, keys[2 * token + 1]!, feature, dropoutThreshold(rate)),
    ),
  );
  const ranks = [8, 33, 1];
  const A = ranks.map((rank) => random.normals(rank * width));
  const v = ranks.map((rank) => random.normals(rows * rank));
  const scratch = t.output(LORA_SCRATCH);
  const shared = t.upload(x);

  const [w, u] = [
    together(t, A),
    together(
      t,
      v.map(({ length }) => poison(length)),
    ),
  ];
  loraProject(t.stream, {
    parts: ranks.map((rank, i) => ({
      ...{ x: shared, w: w[i]!, out: u[i]!, depth: width, rank, alpha: 1 },
    })),
    ...{ rows, wByRank: false, dropout, scratch },
  });
  const [u2, v2] = [together(t, v), together(t, v)];
  const dB = ranks.map((rank) => random.normals(4 * rank));
  const out = together(t, [...A, ...dB]);
  const dy = random.normals(rows * 4);
  loraGradient(t.stream, {
    ...both(
      ranks.map((rank, i) => ({
        ...{ dy: t.upload(dy), u: u2[i]!, v: v2[i]!, dA: out[i]!, dB: out[3 + i]!, width: 4, rank },
        moduleKey: dropout.moduleKeys[i]!,
      })),
    ),
    ...{ x: shared, depth: width, tokens: rows, dropout },
  });
  for (const [i, rank] of ranks.entries()) {
    const forward = matmulRef(masked[i]!, transpose(f64(A[i]!), rank, width), rows, width, rank);
    expect(relativeError(await t.floats(u[i]!), forward)).toBeLessThan(1e-5);
    const gradient = matmulRef(transpose(f64(v[i]!), rows, rank), masked[i]!, rank, rows, width);
    expect(relativeError(await t.floats(out[i]!), add(gradient, f64(A[i]!)))).toBeLessThan(1e-5);
    // dy is not masked.
    const other = matmulRef(transpose(f64(dy), rows, 4), f64(v[i]!), 4, rows, rank);
    expect(relativeError(await t.floats(out[3 + i]!), add(other, f64(dB[i]!)))).toBeLessThan(1e-5);
  }
});

describe('the bits are those of slices that are summed apart and added in their order', () => {
  const random = new Random(5);

  it('of a projection, whether one workgroup takes all slices of a row or several do', async () => {
    const t = await testGpu();
    // Ten slices of 128; 530 rows are 34 tiles of 16, the first 70 only five.
    const [rows, few, depth, rank] = [530, 70, 1280 - 20, 9];
    const x = random.normals(rows * depth);
    for (const wByRank of [false, true]) {
      const run = async (n: number) => {
        const [w, out] = [t.upload(matrix), t.output(n * rank)];
        const part = { x: t.upload(x.subarray(0, n * depth)), w, out, depth, rank, alpha: 0.7 };
        const kernels: string[] = [];
        t.stream.listener = ({ spec }) => void kernels.push(spec.name);
        loraProject(t.stream, { parts: [part], rows: n, wByRank, scratch: t.output(LORA_SCRATCH) });
        t.stream.listener = undefined;
        return { kernels, found: await t.floats(out) };
      };
      const matrix = random.normals(depth * rank);
      const [many, some] = [await run(rows), await run(few)];
      expect(many.kernels).toEqual(['lora_project_whole']);
      expect(some.kernels).toEqual(['lora_project', 'sum_slices']);
      expect(bits([many.found.subarray(0, few * rank).slice()])).toBe(bits([some.found]));
    }
  });

  it('of a gradient', async () => {
    const t = await testGpu();
    const [tokens, width, depth, rank, slice] = [128 * 5 + 37, 68, 36, 5, 128];
    const [dy, x] = [random.normals(tokens * width), random.normals(tokens * depth)];
    const [u, v] = [random.normals(tokens * rank), random.normals(tokens * rank)];
    const start = [random.normals(width * rank), random.normals(rank * depth)];
    const run = async (begin: number, end: number, from: Float32Array[]) => {
      const rowsOf = (a: Float32Array, n: number) => t.upload(a.slice(begin * n, end * n));
      const [dB, dA] = together(t, from);
      const part = { dy: rowsOf(dy, width), u: rowsOf(u, rank), v: rowsOf(v, rank), dB: dB!, dA: dA! };
      const call = { x: rowsOf(x, depth), depth, tokens: end - begin };
      loraGradient(t.stream, { ...both([{ ...part, width, rank }]), ...call });
      return [await t.floats(dB!), await t.floats(dA!)];
    };
    const sums = start.map((s) => new Float32Array(s.length));
    for (let begin = 0; begin < tokens; begin += slice) {
      const zeros = start.map((s) => new Float32Array(s.length));
      const ofSlice = await run(begin, Math.min(tokens, begin + slice), zeros);
      sums.forEach((sum, i) => sum.forEach((value, j) => (sum[j] = value + ofSlice[i]![j]!)));
    }
    const expected = start.map((s, i) => s.map((value, j) => value + sums[i]![j]!));
    expect(bits(await run(0, tokens, start))).toBe(bits(expected));
  });
});

it('makes and stores x of gate and up on its way in, to the bits of the product stored first', async () => {
  const t = await testGpu();
  const random = new Random(8);
  // Two tiles of ranks, three slices; 260 rows in tiles of 16, 40 in one of 64.
  const [depth, rank] = [300, 40];
  const w = t.upload(random.normals(depth * rank));
  for (const rows of [260, 40]) {
    const [gate, up] = [1, 2].map(() => t.upload(random.normals(rows * depth)));
    const gated = { gate: gate!, up: up! };
    const project = async (x: BufferView, how: { gated?: Gated; unstored?: boolean }) => {
      const out = t.output(rows * rank);
      const scratch = t.output(LORA_SCRATCH);
      const parts = [{ x, w, out, depth, rank, alpha: 0.3 }];
      loraProject(t.stream, { parts, rows, wByRank: false, scratch, ...how });
      return [await t.floats(x), await t.floats(out)];
    };
    const stored = t.output(rows * depth);
    swiglu(t.stream, { ...gated, out: stored, n: rows * depth });
    const expected = await project(stored, {});
    expect(bits(await project(t.upload(poison(rows * depth)), { gated }))).toBe(bits(expected));
    // Where it need not be stored, many rows leave its place alone.
    const [x, out] = await project(t.upload(poison(rows * depth)), { gated, unstored: true });
    expect(bits([out!])).toBe(bits([expected[1]!]));
    expect(x!.every(Number.isNaN)).toBe(rows === 260);
  }
});

it('makes x of gate and up for its gradient, to the bits of their stored product', async () => {
  const t = await testGpu();
  const random = new Random(6);
  const [tokens, width, depth, rank] = [150, 36, 68, 8];
  const [gate, up] = [random.normals(tokens * depth), random.normals(tokens * depth)].map((a) => t.upload(a));
  const product = t.output(tokens * depth);
  swiglu(t.stream, { gate: gate!, up: up!, out: product, n: tokens * depth });
  const dy = t.upload(random.normals(tokens * width));
  const [u, v] = [1, 2].map(() => t.upload(random.normals(tokens * rank)));
  const gradient = async (x: BufferView | Gated) => {
    const [dB, dA] = together(t, [new Float32Array(width * rank), new Float32Array(rank * depth)]);
    const part = { dy, u: u!, v: v!, dB: dB!, dA: dA!, width, rank };
    loraGradient(t.stream, { ...both([part]), x, depth, tokens });
    return [await t.floats(dB!), await t.floats(dA!)];
  };
  expect(bits(await gradient({ gate: gate!, up: up! }))).toBe(bits(await gradient(product)));
});

it('refuses a scratch that is too small', async () => {
  const t = await testGpu();
  const [x, w, out] = [t.output(4480), t.output(4480), t.output(1)];
  const parts = [{ x, w, out, depth: 4480, rank: 1, alpha: 1 }];
  expect(() => loraProject(t.stream, { parts, rows: 1, wByRank: false, scratch: t.output(1) })).toThrow(
    'scratch of 4 bytes',
  );
});
