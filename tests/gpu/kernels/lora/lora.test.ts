import { describe, expect, it } from 'vitest';
import {
  dropoutKeep,
  dropoutKey,
  dropoutThreshold,
  moduleKey,
} from '../../../../src/gpu/kernels/lora/dropout-mask.ts';
import { LORA_SCRATCH, loraGradient, loraProject } from '../../../../src/gpu/kernels/lora/lora.ts';
import { view } from '../../../../src/gpu/memory.ts';
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

// Tiles are 64 rows and 32 ranks wide; slices begin at depths of 128, or of more where there are tiles enough.
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

  async function gradient(t: TestGpu, outByWidth: boolean): Promise<Float32Array[]> {
    const out = together(t, factor);
    const narrows = together(t, narrow);
    loraGradient(t.stream, {
      parts: parts.map(({ width, rank }, i) => ({
        ...{ wide: t.upload(wide[i]!), narrow: narrows[i]!, out: out[i]!, width, rank },
      })),
      ...{ tokens: rows, outByWidth, scratch: t.output(LORA_SCRATCH) },
    });
    return Promise.all(out.map((o) => t.floats(o)));
  }

  it.each([false, true])('gradient, the output by width: %s', async (outByWidth) => {
    const found = await gradient(await testGpu(), outByWidth);
    parts.forEach(({ width, rank }, i) => {
      const byRank = matmulRef(transpose(f64(wide[i]!), rows, width), f64(narrow[i]!), width, rows, rank);
      const product = outByWidth ? transpose(byRank, width, rank) : byRank;
      expect(relativeError(found[i]!, add(product, f64(factor[i]!)))).toBeLessThan(1e-5);
    });
  });

  const mixed = parts.length === 3;
  if (mixed) {
    it('gives the same bits twice', async () => {
      const t = await testGpu();
      expect(bits(await project(t, false))).toBe(bits(await project(t, false)));
      expect(bits(await gradient(t, true))).toBe(bits(await gradient(t, true)));
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
  const [narrow, dA] = [together(t, v), together(t, A)];
  loraGradient(t.stream, {
    parts: ranks.map((rank, i) => ({ wide: shared, narrow: narrow[i]!, out: dA[i]!, width, rank })),
    ...{ tokens: rows, outByWidth: true, dropout, scratch },
  });
  for (const [i, rank] of ranks.entries()) {
    const forward = matmulRef(masked[i]!, transpose(f64(A[i]!), rank, width), rows, width, rank);
    expect(relativeError(await t.floats(u[i]!), forward)).toBeLessThan(1e-5);
    const gradient = matmulRef(transpose(f64(v[i]!), rows, rank), masked[i]!, rank, rows, width);
    expect(relativeError(await t.floats(dA[i]!), add(gradient, f64(A[i]!)))).toBeLessThan(1e-5);
  }
});

it('refuses a scratch that is too small', async () => {
  const t = await testGpu();
  const [x, w, out] = [t.output(4480), t.output(4480), t.output(1)];
  const parts = [{ x, w, out, depth: 4480, rank: 1, alpha: 1 }];
  expect(() => loraProject(t.stream, { parts, rows: 1, wByRank: false, scratch: t.output(1) })).toThrow(
    'scratch of 4 bytes',
  );
});
