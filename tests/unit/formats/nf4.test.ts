import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { bf16ToF32 } from '../../../src/formats/half.ts';
import {
  dequantizeNf4,
  doubleDequantize,
  doubleQuantize,
  NF4_CODES,
  NF4_THRESHOLDS,
  quantizeNf4,
  signedDynamicMap,
  unsignedDynamicMap,
} from '../../../src/formats/nf4.ts';
import { Random } from '../../support/random.ts';

const f32 = Math.fround;
const sha256 = (values: Float32Array) =>
  createHash('sha256').update(new Uint8Array(values.buffer)).digest('hex');

/** bf16 rounding to nearest even, as torch does it. */
function toBf16(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0]!;
  const rounded = (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
  return bf16ToF32(Uint8Array.of(rounded & 255, rounded >>> 8))[0]!;
}

/** How many thresholds lie strictly below x, the plain way. */
const countBelow = (thresholds: ArrayLike<number>, x: number) =>
  Array.from(thresholds).filter((threshold) => threshold < x).length;

describe('dynamic maps', () => {
  test('are bitsandbytes’ own, bit for bit', () => {
    expect(sha256(signedDynamicMap())).toBe(
      'e732639a65f497b4ad684bb166a4467708255edd5207757de8b8f0c7e1fda89c',
    );
    expect(sha256(unsignedDynamicMap())).toBe(
      '305f002cc11278fb769d13b25b9fd0c7c83c8402c40a878fe086f4039fde6398',
    );
  });
});

describe('NF4', () => {
  const golden = Float32Array.from({ length: 4096 }, (_, i) =>
    toBf16(f32(f32(((i * 2654435761) % 65536) / 32768 - 1) * f32(0.05))),
  );

  test('golden values of bitsandbytes', () => {
    const { packed, absmax } = quantizeNf4(golden);
    expect([...packed.slice(0, 8)]).toEqual([6, 245, 228, 227, 211, 210, 193, 177]);
    expect([...absmax.slice(0, 2)]).toEqual([0.050048828125, 0.04931640625]);
    const { codes, absmax2, offset } = doubleQuantize(absmax);
    expect([...codes.slice(0, 8)]).toEqual([243, 32, 32, 71, 211, 211, 71, 32]);
    expect(offset).toBe(0.049602508544921875);
    expect(absmax2).toHaveLength(1);
  });

  test('random weights, against a plain search; the even element in the high nibble', () => {
    const weights = new Random(3).normals(64 * 37 + 30, 0.02);
    const { packed, absmax } = quantizeNf4(weights);
    expect(absmax).toHaveLength(38);
    weights.forEach((weight, i) => {
      const block = Math.floor(i / 64);
      const largest = Math.max(...weights.slice(block * 64, block * 64 + 64).map(Math.abs));
      const code = countBelow(NF4_THRESHOLDS, f32(weight * f32(1 / largest)));
      expect(absmax[block]).toBe(largest);
      expect(i % 2 ? packed[i >> 1]! & 15 : packed[i >> 1]! >> 4).toBe(code);
    });
    const back = dequantizeNf4(packed, absmax, weights.length);
    const firstCode = packed[0]! >> 4;
    expect(back[0]).toBe(f32(NF4_CODES[firstCode]! * absmax[0]!));
    expect(quantizeNf4(back)).toEqual({ packed, absmax });
  });

  test('ties go down, and zero blocks decode to zeros', () => {
    const block = new Float32Array(128);
    block.set([1, ...NF4_THRESHOLDS]);
    const { packed, absmax } = quantizeNf4(block);
    expect(packed[0]! & 15).toBe(0);
    expect([...packed.slice(1, 8)]).toEqual([0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde]);
    expect([...absmax]).toEqual([1, 0]);
    expect(
      dequantizeNf4(packed, absmax, 128)
        .slice(64)
        .every((value) => value === 0),
    ).toBe(true);
  });
});

describe('double quantization', () => {
  test('picks the nearest code of the signed map, ties down, on random scales', () => {
    const random = new Random(4);
    const absmax = Float32Array.from({ length: 256 * 11 + 77 }, () => Math.abs(random.normal()) ** 3);
    const map = signedDynamicMap();
    const midpoints = map.slice(1).map((value, i) => f32(map[i]! + value) / 2);
    const { codes, absmax2, offset } = doubleQuantize(absmax);
    expect(offset).toBe(f32(absmax.reduce((sum, value) => sum + value, 0) / absmax.length));
    const back = doubleDequantize(codes, absmax2, offset);
    absmax.forEach((value, i) => {
      const block = Math.floor(i / 256);
      const blockValues = absmax.slice(block * 256, block * 256 + 256);
      const largest = Math.max(...blockValues.map((other) => Math.abs(f32(other - offset))));
      expect(absmax2[block]).toBe(largest);
      expect(codes[i]).toBe(countBelow(midpoints, f32(f32(value - offset) * f32(1 / largest))));
      expect(back[i]).toBe(f32(f32(map[codes[i]!]! * largest) + offset));
    });
  });

  test('every midpoint itself, and its f32 neighbors', () => {
    const map = signedDynamicMap();
    const midpoints = map.slice(1).map((value, i) => f32(map[i]! + value) / 2);
    const bits = new Int32Array(midpoints.slice().buffer);
    const around = [-1, 0, 1].map((step) => new Float32Array(bits.map((bit) => bit + step).buffer));
    for (const values of around) {
      // The mean of a block and its mirror image is 0, and its largest 1, so that x is searched as it stands.
      const block = Float32Array.of(1, -1, ...[...values].flatMap((value) => [value, -value]));
      const { codes, offset, absmax2 } = doubleQuantize(block);
      expect(offset).toBe(0);
      expect([...absmax2.slice(0, 1)]).toEqual([1]);
      block.slice(0, 256).forEach((value, i) => expect(codes[i]).toBe(countBelow(midpoints, value)));
    }
  });

  test('equal scales come back exactly, with any block size and map of a checkpoint', () => {
    const { codes, absmax2, offset } = doubleQuantize(new Float32Array(300).fill(0.25));
    expect([...doubleDequantize(codes, absmax2, offset)]).toEqual(new Array(300).fill(0.25));
    const map = Float32Array.from({ length: 256 }, (_, i) => i);
    expect([...doubleDequantize(Uint8Array.of(1, 2, 3), Float32Array.of(2, 10), 0.5, 2, map)]).toEqual([
      2.5, 4.5, 30.5,
    ]);
  });
});
