import { describe, expect, it } from 'vitest';
import { gemm } from '../../src/gpu/kernels/gemm.ts';
import { matmulRef } from '../reference/ops/matmul.ts';
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

  it('matches the f64 reference', async () => {
    const t = await testGpu();
    const c = t.output(rows * columns);
    gemm(t.stream, { a: t.upload(a), b: t.upload(b), c, rows, columns, depth });
    const product = matmulRef(f64(a), f64(b), rows, depth, columns);
    expect(relativeError(await t.floats(c), product)).toBeLessThan(1e-5);
  });
});
