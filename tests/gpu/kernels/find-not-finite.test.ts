import { describe, expect, it } from 'vitest';
import { findNotFinite } from '../../../src/gpu/kernels/find-not-finite.ts';
import { testGpu } from '../../support/gpu.ts';
import { Random } from '../../support/random.ts';

const FORMATS = [
  { format: 'f32', bits: 32, exponent: 0x7f800000 },
  { format: 'bf16', bits: 16, exponent: 0x7f80 },
  { format: 'f16', bits: 16, exponent: 0x7c00 },
] as const;

/** Where the first value that is not finite lies, as the device found it; undefined for none. */
async function find(
  format: (typeof FORMATS)[number]['format'],
  values: Uint32Array | Uint16Array,
  { before = 0, place = 0 } = {},
): Promise<number | undefined> {
  const t = await testGpu();
  const offset = before * 4;
  const all = new Uint8Array(offset + Math.ceil(values.byteLength / 4) * 4).fill(255, 0, offset);
  all.set(new Uint8Array(values.buffer), offset);
  const { buffer } = t.upload(new Uint32Array(all.buffer));
  const found = t.upload(new Uint32Array(1));
  findNotFinite(t.stream, { buffer, offset, count: values.length, format, found, place });
  const [word] = await t.words(found);
  return word === 0 ? undefined : (~word! >>> 0) - place;
}

describe.each(FORMATS)('$format', ({ format, bits, exponent }) => {
  const random = new Random(bits + exponent);
  const lowest = exponent & -exponent;
  const finite = (count: number) =>
    Array.from({ length: count }, () => {
      const value = random.u32() >>> (32 - bits);
      return (value & exponent) === exponent ? value - lowest : value;
    });
  const packed = (values: number[]) => (bits === 32 ? new Uint32Array(values) : new Uint16Array(values));

  it.each([1, 2, 3, 511, 4097, 20_001])('%i finite values of any bits', async (count) => {
    expect(await find(format, packed(finite(count)))).toBeUndefined();
  });

  it.each([
    ['NaN', 1],
    ['infinity', 0],
    ['NaN, all bits', lowest - 1],
  ])('the first of several: %s', async (_, mantissa) => {
    const count = 20_001;
    for (const first of [0, 1, 255, 4095, 8191, 12_345, count - 1]) {
      const values = finite(count);
      for (const at of [first, random.integer(first, count - 1), count - 1]) {
        values[at] = random.pick([0, 2 ** (bits - 1)]) + exponent + mantissa;
      }
      // What lies before them is not looked at, and the place is added.
      expect(await find(format, packed(values), { before: 77, place: 1e6 })).toBe(first);
    }
  });

  it('the largest value is finite', async () => {
    expect(await find(format, packed([exponent - 1, 2 ** (bits - 1) + exponent - 1]))).toBeUndefined();
  });
});
