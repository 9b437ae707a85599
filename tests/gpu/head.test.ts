import { describe, expect, it } from 'vitest';
import { headMatmul, headMatmulGrad, headSlices, type Table } from '../../src/gpu/kernels/head.ts';
import { matmulRef, transpose } from '../reference/ops/matmul.ts';
import { f64, relativeError, testGpu } from '../support/gpu.ts';
import { Random } from '../support/random.ts';

// Up to eight rows go through a kernel of their own, 64 words a workgroup.
const shapes = [
  [1, 5, 32, [5]],
  [7, 130, 96, [63, 67]],
  [8, 64, 416, [64]],
  [9, 64, 32, [64]],
  [3, 448, 128, [200, 248]],
  [65, 127, 64, [127]],
  [64, 129, 160, [1, 128]],
  [2, 9001, 32, [8192, 809]],
] as const;

describe.each(shapes)('head: %i rows, %i words, width %i, parts %j', (rows, vocab, width, counts) => {
  it.each(['bf16', 'f32'] as const)('%s', async (format) => {
    const t = await testGpu();
    const random = new Random(rows * 7919 + vocab + width);
    const bits = new Uint32Array(random.normals(vocab * width).buffer);
    if (format === 'bf16') bits.forEach((b, i) => (bits[i] = (b & 0xffff0000) >>> 0));
    const decoded = f64(new Float32Array(bits.buffer));
    let begin = 0;
    const parts = counts.map((count) => {
      const words = bits.slice(begin * width, (begin + count) * width);
      const view = t.upload(format === 'f32' ? words : new Uint16Array(words.map((b) => b >>> 16)));
      begin += count;
      return { view, begin: begin - count, count };
    });
    const table: Table = { parts, format, vocab, width };
    const x = random.normals(rows * width);
    const logits = t.output(rows * vocab);
    headMatmul(t.stream, { x: t.upload(x), table, logits, rows });
    const forward = matmulRef(f64(x), transpose(decoded, vocab, width), rows, width, vocab);
    expect(relativeError(await t.floats(logits), forward)).toBeLessThan(1e-5);

    const dlogits = random.normals(rows * vocab);
    const dx = t.output(rows * width);
    const scratch = t.output(headSlices(parts) * rows * width);
    headMatmulGrad(t.stream, { dlogits: t.upload(dlogits), table, scratch, dx, rows });
    expect(
      relativeError(await t.floats(dx), matmulRef(f64(dlogits), decoded, rows, vocab, width)),
    ).toBeLessThan(1e-5);
  });
});

it('gives a row the same bits, twice and beside other rows, as far as decoding goes', async () => {
  const t = await testGpu();
  const random = new Random(11);
  const [vocab, width] = [70, 96];
  const parts = [{ view: t.upload(random.normals(vocab * width)), begin: 0, count: vocab }];
  const table: Table = { parts, format: 'f32', vocab, width };
  const x = random.normals(8 * width);
  const logitsOf = async (rows: number) => {
    const logits = t.output(rows * vocab);
    headMatmul(t.stream, { x: t.upload(x.slice(0, rows * width)), table, logits, rows });
    return t.floats(logits);
  };
  const all = await logitsOf(8);
  expect(await logitsOf(8)).toEqual(all);
  for (const rows of [1, 5]) expect(await logitsOf(rows)).toEqual(all.subarray(0, rows * vocab));
});
