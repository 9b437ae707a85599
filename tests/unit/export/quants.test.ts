import { describe, expect, it } from 'vitest';
import { quantizeQ5, quantizeQ5Affine, quantizeQ8 } from '../../../src/export/gguf/block-quants.ts';
import { blockValues } from '../../../src/export/gguf/decode-blocks.ts';
import { quantizeQ4K, quantizeQ5K, quantizeQ6K } from '../../../src/export/gguf/k-quants.ts';
import { bytesSource } from '../../../src/formats/byte-source.ts';
import { openSafetensors, readTensor, readTensorF32 } from '../../../src/formats/safetensors.ts';
import { decodeBlocks } from '../../reference/gguf-blocks.ts';
import { fixtureBytes } from '../../support/memory-folder.ts';

const { tensors } = await openSafetensors(bytesSource('quants', fixtureBytes('export/quants.safetensors')));
const x = await readTensorF32(tensors.get('x')!);

/** Root of the squared error of each super-block of 256 values. */
const errors = (values: readonly number[] | Float32Array): number[] =>
  Array.from({ length: x.length / 256 }, (_, block) =>
    Math.hypot(...Array.from({ length: 256 }, (_, i) => values[256 * block + i]! - x[256 * block + i]!)),
  );

describe('quantized blocks', () => {
  it.each([
    ['Q5_0', quantizeQ5, 1],
    ['Q5_1', quantizeQ5Affine, 1],
    ['Q8_0', quantizeQ8, 1],
    ['Q4_K', quantizeQ4K, 0.9],
    ['Q5_K', quantizeQ5K, 0.85],
    ['Q6_K', quantizeQ6K, 0.95],
  ] as const)('%s: as good as those of llama.cpp', async (type, quantize, same) => {
    const theirs = await readTensor(tensors.get(type)!);
    const theirValues = await readTensorF32(tensors.get(`${type}_values`)!);
    const apart = decodeBlocks(type, theirs).map((value, i) => Math.abs(value - theirValues[i]!));
    expect(Math.max(...apart)).toBeLessThan(5e-7);
    const decoded = blockValues(type, theirs).map((value, i) => Math.abs(value - theirValues[i]!));
    expect(Math.max(...decoded)).toBeLessThan(5e-7);
    const ours = quantize(x);
    expect(ours.length).toBe(theirs.length);
    const [error, allowed] = [errors(decodeBlocks(type, ours)), errors(theirValues)];
    const ratios = error.map((value, block) => (value + 1e-9) / (allowed[block]! + 1e-9));
    expect(ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length).toBeLessThanOrEqual(1.02);
    expect(Math.max(...ratios)).toBeLessThanOrEqual(1.1);
    // Most bytes are the same too: sums in f32 there and in f64 here may choose another of two equal scales.
    expect(ours.filter((byte, i) => byte === theirs[i]).length / ours.length).toBeGreaterThanOrEqual(same);
  });
});
