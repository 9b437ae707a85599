// Reference: ggml, src/ggml-quants.c and src/ggml-common.h (formats of blocks, reference quantizers).
import { f16ToF32 } from '../../formats/half.ts';
import { f16Of } from '../float-bytes.ts';

const f32 = Math.fround;

/** Rounds half away from zero. */
const round = (x: number): number => Math.sign(x) * Math.floor(Math.abs(x) + 0.5);

/** 32 values per block: one f16 scale and 8-bit integers. */
export function quantizeQ8(values: Float32Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array((values.length / 32) * 34);
  for (let block = 0; block < values.length / 32; block++) {
    const x = values.subarray(32 * block, 32 * block + 32);
    let largest = 0;
    for (const value of x) {
      largest = Math.max(largest, Math.abs(value));
    }
    const scale = f32(largest / 127);
    const inverse = scale === 0 ? 0 : f32(1 / scale);
    const at = 34 * block;
    setHalf(out, at, scale);
    for (let i = 0; i < 32; i++) {
      out[at + 2 + i] = round(f32(x[i]! * inverse));
    }
  }
  return out;
}

/** 32 values per block: one f16 scale and 5-bit integers, whose high bits are apart. */
export function quantizeQ5(values: Float32Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array((values.length / 32) * 22);
  for (let block = 0; block < values.length / 32; block++) {
    const x = values.subarray(32 * block, 32 * block + 32);
    let extreme = 0;
    for (const value of x) {
      extreme = Math.abs(value) > Math.abs(extreme) ? value : extreme;
    }
    const scale = f32(extreme / -16);
    const inverse = scale === 0 ? 0 : f32(1 / scale);
    const at = 22 * block;
    setHalf(out, at, scale);
    for (let i = 0; i < 32; i++) {
      setFive(out, at + 2, i, Math.min(31, Math.trunc(f32(f32(x[i]! * inverse) + 16.5))));
    }
  }
  return out;
}

/** 32 values per block: an f16 scale, an f16 minimum and 5-bit integers. */
export function quantizeQ5Affine(values: Float32Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array((values.length / 32) * 24);
  for (let block = 0; block < values.length / 32; block++) {
    const x = values.subarray(32 * block, 32 * block + 32);
    const min = x.reduce((low, value) => Math.min(low, value), Infinity);
    const max = x.reduce((high, value) => Math.max(high, value), -Infinity);
    const scale = f32(f32(max - min) / 31);
    const inverse = scale === 0 ? 0 : f32(1 / scale);
    const at = 24 * block;
    setHalf(out, at, scale);
    setHalf(out, at + 2, min);
    for (let i = 0; i < 32; i++) {
      setFive(out, at + 4, i, Math.min(31, Math.trunc(f32(f32(f32(x[i]! - min) * inverse) + 0.5))));
    }
  }
  return out;
}

/** Puts the code of value i of 32: its high bit among the first four bytes, the others two to a byte after them. */
function setFive(out: Uint8Array, at: number, i: number, code: number): void {
  out[at + 4 + (i % 16)]! |= (code & 15) << (i < 16 ? 0 : 4);
  out[at + (i >> 3)]! |= (code >> 4) << (i & 7);
}

/** Writes a half; returns the value that it stands for. */
export function setHalf(out: Uint8Array, at: number, value: number): number {
  const bits = f16Of(value);
  out[at] = bits & 255;
  out[at + 1] = bits >> 8;
  return f16ToF32(Uint8Array.of(bits & 255, bits >> 8))[0]!;
}
