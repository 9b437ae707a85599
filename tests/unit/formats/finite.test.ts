import { describe, expect, test } from 'vitest';
import { allFinite, checkFinite, checkTensor, notFinite, tensorPieces } from '../../../src/formats/finite.ts';
import { openSafetensors } from '../../../src/formats/safetensors.ts';
import { writeSafetensors } from '../../../src/formats/safetensors-write.ts';
import { joinBytes, source } from '../../support/memory-folder.ts';
import { Random } from '../../support/random.ts';

const FORMATS = [
  { dtype: 'F32', size: 4, exponent: 0x7f800000, bits: 32 },
  { dtype: 'BF16', size: 2, exponent: 0x7f80, bits: 16 },
  { dtype: 'F16', size: 2, exponent: 0x7c00, bits: 16 },
] as const;

describe.each(FORMATS)('$dtype', ({ dtype, size, exponent, bits }) => {
  const random = new Random(bits + exponent);
  const put = (bytes: Uint8Array, at: number, value: number) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    if (size === 4) {
      view.setUint32(4 * at, value, true);
    } else {
      view.setUint16(2 * at, value, true);
    }
  };
  const finite = () => {
    const value = random.u32() >>> (32 - bits);
    return (value & exponent) === exponent ? value - (exponent & -exponent) : value;
  };

  test.each([1, 2, 3, 8, 257])('%i values of any finite bits, wherever they lie', (count) => {
    for (const offset of [0, 1, 2, 3]) {
      const bytes = new Uint8Array(offset + size * count).subarray(offset);
      for (let i = 0; i < count; i++) {
        put(bytes, i, finite());
      }
      expect(allFinite(dtype, bytes)).toBe(true);
      for (let i = 0; i < count; i++) {
        const broken = new Uint8Array(joinBytes([new Uint8Array(offset), bytes]).buffer, offset);
        const mantissa = random.pick([0, 1, (exponent & -exponent) - 1]);
        const sign = random.pick([0, 2 ** (bits - 1)]);
        put(broken, i, sign + exponent + mantissa);
        expect(allFinite(dtype, broken), `value ${i} of ${count} at ${offset}`).toBe(false);
      }
    }
  });

  test('the largest value is finite', () => {
    const bytes = new Uint8Array(2 * size);
    put(bytes, 0, exponent - 1);
    put(bytes, 1, 2 ** (bits - 1) + exponent - 1);
    expect(allFinite(dtype, bytes)).toBe(true);
  });
});

test('whole numbers are always finite, and nothing is', () => {
  expect(allFinite('U8', new Uint8Array(16).fill(255))).toBe(true);
  expect(allFinite('F32', new Uint8Array(0))).toBe(true);
});

test('pieces are the tensor’s bytes; the error names file, tensor and what to do', async () => {
  const data = new Uint8Array(2 ** 22 + 12);
  data.set([1, 2, 3, 4], 2 ** 22);
  const tensor = { name: 'w', dtype: 'F32', shape: [data.length / 4], data } as const;
  const { tensors } = await openSafetensors(source('m.safetensors', joinBytes(writeSafetensors([tensor]))));
  const info = tensors.get('w')!;
  const pieces: Uint8Array[] = [];
  for await (const piece of tensorPieces(info)) {
    pieces.push(piece.slice());
  }
  expect(pieces.map((piece) => piece.length)).toEqual([2 ** 22, 12]);
  expect(Buffer.compare(joinBytes(pieces), data)).toBe(0);
  expect(() => checkFinite(info, data, 'look')).not.toThrow();
  expect(() => checkFinite(info, data.fill(255, 8, 12), 'look')).toThrow(
    'm.safetensors: w holds a value that is not finite at [2], expected numbers; look.',
  );
  expect(() => checkFinite(info, data.subarray(0, 12), 'look')).toThrow(
    'w holds a value that is not finite, expected',
  );
  await expect(checkTensor(info, 'look')).resolves.toBeUndefined();
  const late = data
    .slice()
    .fill(0, 0, 2 ** 22)
    .fill(255, 2 ** 22 + 8);
  const broken = { ...info, source: source('m.safetensors', late), begin: 0, end: late.length };
  let read = 0;
  await expect(checkTensor(broken, 'look', (bytes) => (read += bytes))).rejects.toThrow(
    `w holds a value that is not finite at [${2 ** 20 + 2}], expected numbers; look.`,
  );
  expect(read).toBe(2 ** 22);
});

test('a position is told by the tensor’s shape', () => {
  const info = {
    name: 'w',
    dtype: 'BF16',
    shape: [2, 3, 5],
    source: source('m', new Uint8Array(0)),
  } as const;
  expect(String(notFinite(info, 22, 'look').message)).toContain('at [1, 1, 2],');
});
