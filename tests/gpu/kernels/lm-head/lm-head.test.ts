import { describe, expect, it } from 'vitest';
import { LM_HEADS } from '../../../../src/gpu/kernels/lm-head/index.ts';
import { headMatmul, headSlices, type Table } from '../../../../src/gpu/kernels/lm-head/lm-head.ts';
import type { FloatFormat } from '../../../../src/gpu/kernels/shared/float-format.ts';
import { matmulRef, transpose } from '../../../reference/ops/matmul.ts';
import { f64, relativeError, testGpu } from '../../../support/gpu.ts';
import { Random } from '../../../support/random.ts';

// Up to eight rows use the matrix-vector kernel, 64 words per workgroup. Tiles have 64 or 128 rows and words.
const shapes = [
  [1, 5, 32, [5]],
  [7, 130, 96, [63, 67]],
  [8, 64, 416, [64]],
  [9, 64, 32, [64]],
  [3, 448, 128, [200, 248]],
  [65, 127, 64, [127]],
  [64, 129, 160, [1, 128]],
  [129, 196, 224, [4, 63, 129]],
  [2, 9001, 32, [8192, 809]],
] as const;

describe.each(shapes)('head: %i rows, %i words, width %i, parts %j', (rows, vocab, width, counts) => {
  it.each(['bf16', 'f16', 'f32'] as const)('%s, by every tile', async (format) => {
    const t = await testGpu();
    const random = new Random(rows * 7919 + vocab + width);
    const { words, decoded } = randomTable(random, vocab * width, format);
    let begin = 0;
    const parts = counts.map((count) => {
      const part = { view: t.upload(words.subarray(begin * width, (begin + count) * width)), begin, count };
      begin += count;
      return part;
    });
    const table: Table = { parts, format, vocab, width };
    const x = random.normals(rows * width);
    const dlogits = random.normals(rows * vocab);
    const forward = matmulRef(f64(x), transpose(decoded, vocab, width), rows, width, vocab);
    const backward = matmulRef(f64(dlogits), decoded, rows, vocab, width);
    for (const head of LM_HEADS.filter(({ precision }) => precision === 'f32')) {
      const logits = t.output(rows * vocab);
      head.forward(t.stream, { x: t.upload(x), table, logits, rows, rowScales: t.output(rows) });
      expect(relativeError(await t.floats(logits), forward), head.name).toBeLessThan(1e-5);

      const dx = t.output(rows * width);
      const scratch = t.output(headSlices(parts) * rows * width);
      head.backward(t.stream, { dlogits: t.upload(dlogits), table, scratch, dx, rows, gradScale: 8 });
      expect(relativeError(await t.floats(dx), backward), head.name).toBeLessThan(1e-5);
    }
  });
});

/** Normally distributed values as a checkpoint stores them, and what they stand for. */
function randomTable(random: Random, count: number, format: FloatFormat) {
  const values = random.normals(count);
  if (format === 'f32') {
    return { words: values, decoded: f64(values) };
  }
  const bits = new Uint32Array(values.buffer);
  if (format === 'bf16') {
    const words = new Uint16Array(bits.map((b) => b >>> 16));
    bits.forEach((b, i) => (bits[i] = (b & 0xffff0000) >>> 0));
    return { words, decoded: f64(values) };
  }
  // Sign, fraction, and of the exponent what keeps it within 2^-15 … 2^0.
  const words = new Uint16Array(bits.map((b) => ((b >>> 16) & 0x8000) | (b & 0x3fff)));
  const decoded = Float64Array.from(words, (w) => {
    const [exponent, fraction] = [(w >> 10) & 15, (w & 1023) / 1024];
    const magnitude = exponent === 0 ? fraction * 2 ** -14 : (1 + fraction) * 2 ** (exponent - 15);
    return w & 0x8000 ? -magnitude : magnitude;
  });
  return { words, decoded };
}

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
  for (const rows of [1, 5]) {
    expect(await logitsOf(rows)).toEqual(all.subarray(0, rows * vocab));
  }
});
