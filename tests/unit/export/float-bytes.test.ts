import { describe, expect, it } from 'vitest';
import { f16Of, floatBytes } from '../../../src/export/float-bytes.ts';
import { bf16ToF32, f16ToF32 } from '../../../src/formats/half.ts';

describe('floats of 16 bits', () => {
  it('rounds to the nearest half, ties to even', () => {
    const all = Uint16Array.from({ length: 0x7c00 }, (_, bits) => bits);
    const values = f16ToF32(new Uint8Array(all.buffer));
    values.forEach((value, bits) => {
      const next = bits + 1 < values.length ? values[bits + 1]! : 65536;
      const middle = (value + next) / 2;
      expect(f16Of(value)).toBe(bits);
      expect(f16Of(middle)).toBe(bits % 2 === 0 ? bits : bits + 1);
      expect(f16Of(-middle * (1 + 2 ** -20))).toBe(0x8000 | (bits + 1));
      expect(f16Of(middle * (1 - 2 ** -20))).toBe(bits);
    });
    expect(f16Of(1e9)).toBe(0x7c00);
  });

  it('rounds to the nearest bf16, ties to even', () => {
    const values = Float32Array.of(1, 1 + 2 ** -8, 1 + 3 * 2 ** -8, -(1 + 2 ** -8 + 2 ** -20), 3e-40, 0);
    const back = bf16ToF32(floatBytes(values, 'BF16'));
    expect([...back.slice(0, 4)]).toEqual([1, 1, 1 + 2 ** -6, -(1 + 2 ** -7)]);
    expect(Math.abs(back[4]! - 3e-40)).toBeLessThan(5e-41);
  });
});
