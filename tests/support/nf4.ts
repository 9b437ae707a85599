import { bf16ToF32, f16ToF32 } from '../../src/formats/half.ts';
import {
  dequantizeNf4,
  doubleDequantize,
  doubleQuantize,
  quantizeNf4,
  signedDynamicMap,
} from '../../src/formats/nf4.ts';
import type { DenseFormat, DenseWeight, Nf4Weight } from '../../src/gpu/kernels/linear/nf4-operands.ts';
import { f64, type TestGpu } from './gpu.ts';
import type { Random } from './random.ts';

/** bitsandbytes' packed codes in the device's order: 32 codes of a row in 4 words, [depth/32][columns]. */
export function deviceCodes(packed: Uint8Array, columns: number, depth: number): Uint32Array {
  const words = new Uint32Array((columns * depth) / 8);
  for (let n = 0; n < columns; n++) {
    for (let k = 0; k < depth; k++) {
      const flat = n * depth + k;
      const code = flat % 2 === 0 ? packed[flat >> 1]! >> 4 : packed[flat >> 1]! & 15;
      const word = (Math.floor(k / 32) * columns + n) * 4 + (Math.floor(k / 8) % 4);
      words[word] = (words[word]! | (code << (4 * (k % 8)))) >>> 0;
    }
  }
  return words;
}

/** How a test's weight is stored: NF4 with scales quantized too or not, or 16 bits. */
export type Stored = 'nf4' | 'nested' | DenseFormat;

/** A random weight on the device, and what it decodes to. */
export const randomWeight = (t: TestGpu, random: Random, columns: number, depth: number, stored: Stored) =>
  stored === 'nf4' || stored === 'nested'
    ? randomNf4(t, random, columns, depth, stored === 'nested')
    : randomDense(t, random, columns, depth, stored);

/** A random weight of 16 bits on the device, and its values. */
function randomDense(t: TestGpu, random: Random, columns: number, depth: number, format: DenseFormat) {
  // Of either sign, with every bit of the fraction, and between 2^-8 and 2^-3: normal in f16 too.
  const [free, fixed] = format === 'bf16' ? [0x80ff, 0x3c00] : [0x8fff, 0x2000];
  const bits = Uint16Array.from({ length: columns * depth }, () => (random.u32() & free) | fixed);
  const bytes = new Uint8Array(bits.buffer);
  const weight: DenseWeight = { columns, depth, values: t.upload(bytes), format };
  return { weight, decoded: f64(format === 'bf16' ? bf16ToF32(bytes) : f16ToF32(bytes)) };
}

/** A random NF4 weight on the device, and what it decodes to. */
export function randomNf4(t: TestGpu, random: Random, columns: number, depth: number, nested: boolean) {
  // A width that is not a multiple of 64 leaves a last half block: quantize it padded, as bitsandbytes does.
  const n = columns * depth;
  const values = random.normals(Math.ceil(n / 64) * 64, 0.05).fill(0, n);
  const { packed, absmax } = quantizeNf4(values);
  const codes = t.upload(deviceCodes(packed, columns, depth));
  if (!nested) {
    const weight: Nf4Weight = { columns, depth, codes, scales: t.upload(absmax) };
    return { weight, decoded: Float64Array.from(dequantizeNf4(packed, absmax, n)) };
  }
  const twice = doubleQuantize(absmax);
  const decoded = dequantizeNf4(packed, doubleDequantize(twice.codes, twice.absmax2, twice.offset), n);
  const codeWords = Math.ceil(twice.codes.length / 4);
  const words = new Uint32Array(codeWords + twice.absmax2.length + 256);
  new Uint8Array(words.buffer).set(twice.codes);
  words.set(new Uint32Array(twice.absmax2.slice().buffer), codeWords);
  words.set(new Uint32Array(signedDynamicMap().slice().buffer), codeWords + twice.absmax2.length);
  const weight: Nf4Weight = {
    columns,
    depth,
    codes,
    scales: t.upload(words),
    nested: { absmaxAt: codeWords, mapAt: codeWords + twice.absmax2.length, shift: 8, offset: twice.offset },
  };
  return { weight, decoded: Float64Array.from(decoded) };
}
