import { describe, expect, it } from 'vitest';
import { quantizeNf4 } from '../../../../src/formats/nf4.ts';
import { nf4Matmul, nf4MatmulGrad, nf4Quantize, nf4Repack } from '../../../../src/gpu/kernels/linear/nf4.ts';
import { add, matmulRef, transpose } from '../../../reference/ops/matmul.ts';
import { f64, relativeError, testGpu } from '../../../support/gpu.ts';
import { deviceCodes, randomWeight } from '../../../support/nf4.ts';
import { Random } from '../../../support/random.ts';

// rows (tokens) × columns (out) over depth (in); 8 rows and fewer take the matrix-vector kernel.
const shapes = [
  [1, 4, 32],
  [1, 1536, 256],
  [7, 60, 96],
  [8, 36, 352],
  [9, 132, 64],
  [63, 128, 32],
  [64, 124, 160],
  [65, 256, 96],
  [127, 68, 352],
  [13, 896, 128],
] as const;

describe.each(shapes)('NF4 products: %i rows, %i out, %i in', (rows, columns, depth) => {
  it.each([
    ['nf4', false, 0],
    ['nested', true, 32],
    ['nested', false, 5],
    ['nf4', true, 1],
    ['bf16', true, 5],
    ['f16', false, 0],
  ] as const)('%s, bias and residual %s, rank %i', async (stored, extras, rank) => {
    const t = await testGpu();
    const random = new Random(rows * 7919 + columns * 31 + depth + rank);
    const { weight, decoded } = randomWeight(t, random, columns, depth, stored);
    const x = random.normals(rows * depth);
    const u = random.normals(rows * rank);
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
    const y = t.output(rows * columns);
    const lora = rank ? { activations: t.upload(u), matrix: t.upload(b), rank } : undefined;
    const extra = extras ? { bias: t.upload(bias), residual: t.upload(residual) } : {};
    nf4Matmul(t.stream, { x: t.upload(x), weight, y, rows, lora, ...extra });
    expect(relativeError(await t.floats(y), expected)).toBeLessThan(1e-5);
  });

  it.each([
    ['nf4', false, 0],
    ['nested', true, 32],
    ['nested', false, 5],
    ['bf16', true, 5],
    ['f16', false, 0],
  ] as const)('gradient: %s, accumulate %s, rank %i', async (stored, accumulate, rank) => {
    const t = await testGpu();
    const random = new Random(rows * 104729 + columns * 31 + depth + rank);
    const { weight, decoded } = randomWeight(t, random, columns, depth, stored);
    const dy = random.normals(rows * columns);
    const v = random.normals(rows * rank);
    const a = random.normals(rank * depth);
    const before = random.normals(rows * depth);
    let expected = matmulRef(f64(dy), decoded, rows, columns, depth);
    if (rank) {
      expected = add(expected, matmulRef(f64(v), f64(a), rows, rank, depth));
    }
    if (accumulate) {
      expected = add(expected, before);
    }
    const dx = accumulate ? t.upload(before) : t.output(rows * depth);
    const lora = rank ? { activations: t.upload(v), matrix: t.upload(a), rank } : undefined;
    nf4MatmulGrad(t.stream, { dy: t.upload(dy), weight, dx, rows, lora, accumulate });
    expect(relativeError(await t.floats(dx), expected)).toBeLessThan(1e-5);
  });
});

describe('NF4 quantization', () => {
  const formats = ['bf16', 'f16', 'f32'] as const;
  const widths = [
    [2, 32],
    [1, 64],
    [6, 352],
    [128, 128],
    [5, 1536],
  ] as const;

  it.each(formats.flatMap((f) => widths.map((w) => [f, ...w] as const)))(
    'of %s, %i × %i, has the codes and scales of bitsandbytes',
    async (format, columns, depth) => {
      const t = await testGpu();
      const random = new Random(columns * 31 + depth);
      const values = random.normals(columns * depth, 0.05);
      values.fill(0, 0, 64); // a block of zeros
      const { bytes, rounded } = encode(values, format);
      const { packed, absmax } = quantizeNf4(rounded);
      const codes = t.output((columns * depth) / 8);
      const scales = t.output((columns * depth) / 64);
      const blocks = (columns * depth) / 64;
      const source = t.upload(bytes);
      nf4Quantize(t.stream, { source, format, codes, absmax: scales, blocks, firstBlock: 0, columns, depth });
      expect(await t.floats(scales)).toEqual(absmax);
      expect(await t.words(codes)).toEqual(deviceCodes(packed, columns, depth));
      const repacked = t.output((columns * depth) / 8);
      const groups = (columns * depth) / 32;
      nf4Repack(t.stream, {
        source: t.upload(packed),
        codes: repacked,
        groups,
        firstGroup: 0,
        columns,
        depth,
      });
      expect(await t.words(repacked)).toEqual(deviceCodes(packed, columns, depth));
    },
  );
});

/** The values in a 16- or 32-bit format, as bytes and as the f32 they stand for. */
function encode(values: Float32Array, format: 'bf16' | 'f16' | 'f32') {
  if (format === 'f32') {
    return { bytes: new Uint8Array(values.slice().buffer), rounded: values };
  }
  const words = new Uint16Array(values.length);
  const bits = new Uint32Array(values.slice().buffer);
  const rounded = values.map((v, i) => {
    if (format === 'bf16') {
      words[i] = bits[i]! >>> 16;
      return new Float32Array(new Uint32Array([bits[i]! & 0xffff0000]).buffer)[0]!;
    }
    // Multiples of 2^-10 below 1 with few bits are exact in f16.
    const exact = Math.round(v * 1024) / 1024;
    words[i] = toHalf(exact);
    return exact;
  });
  return { bytes: new Uint8Array(words.buffer), rounded };
}

/** f16 bits of a number that f16 holds exactly and whose magnitude is 0 or in [2^-10, 1). */
function toHalf(v: number): number {
  if (v === 0) {
    return 0;
  }
  const exponent = Math.floor(Math.log2(Math.abs(v)));
  const fraction = Math.abs(v) / 2 ** exponent - 1;
  return (v < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | (fraction * 1024);
}
