import { describe, expect, it } from 'vitest';
import { gemm } from '../../src/gpu/kernels/gemm.ts';
import { add, matmulRef, transpose } from '../reference/ops/matmul.ts';
import { f64, relativeError, testGpu } from '../support/gpu.ts';
import { Random } from '../support/random.ts';

const shapes = [
  [1, 1, 1],
  [31, 33, 32],
  [33, 31, 65],
  [7, 32, 129],
  [64, 64, 64],
  [37, 8, 353],
  [5, 1536, 13],
] as const;

describe.each(shapes)('gemm of %i × %i over %i', (rows, columns, depth) => {
  const random = new Random(rows * 7919 + columns * 31 + depth);
  const a = random.normals(rows * depth);
  const b = random.normals(depth * columns);
  const before = random.normals(rows * columns);

  it.each([
    [false, false],
    [false, true],
    [true, false],
    [true, true],
  ])('transposes a %s, b %s', async (transposeA, transposeB) => {
    const t = await testGpu();
    const product = matmulRef(
      transposeA ? transpose(f64(a), depth, rows) : f64(a),
      transposeB ? transpose(f64(b), columns, depth) : f64(b),
      rows,
      depth,
      columns,
    ).map((v) => v * 0.75);
    const views = {
      a: t.upload(a),
      b: t.upload(b),
      rows,
      columns,
      depth,
      transposeA,
      transposeB,
      alpha: 0.75,
    };
    const c = t.output(rows * columns);
    gemm(t.stream, { ...views, c });
    expect(relativeError(await t.floats(c), product)).toBeLessThan(1e-5);
    const sum = t.upload(before);
    gemm(t.stream, { ...views, c: sum, accumulate: true });
    expect(relativeError(await t.floats(sum), add(product, before))).toBeLessThan(1e-5);
  });
});
