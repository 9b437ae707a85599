import { describe, expect, it } from 'vitest';
import type { LinearModule } from '../../../src/formats/decoder-weights.ts';
import { bytesByKind } from '../../../src/model/allocations.ts';
import { denseAllocations, FORMAT_BYTES, nf4Allocations, tableParts } from '../../../src/model/weights.ts';

/** What WebGPU guarantees for one binding. */
const BINDING = 128 * 2 ** 20;

describe('a table of embeddings', () => {
  it.each([
    [151_936, 1536, 'bf16'],
    [151_936, 1536, 'f32'],
    [128_256, 2048, 'f16'],
    [448, 64, 'bf16'],
    [65_536, 1024, 'bf16'],
    [65_537, 1024, 'bf16'],
  ] as const)(
    'of %i rows of %i in %s is split into bindings that every device allows',
    (vocab, width, format) => {
      const parts = tableParts(vocab, width, format);
      let next = 0;
      for (const { begin, count } of parts) {
        expect(begin).toBe(next);
        expect(count * width * FORMAT_BYTES[format]).toBeLessThanOrEqual(BINDING);
        next += count;
      }
      expect(next).toBe(vocab);
      expect(parts.length).toBe(Math.ceil((vocab * width * FORMAT_BYTES[format]) / BINDING));
    },
  );
});

it('double-quantized scales take a byte of a block of 64 weights, and little more', () => {
  const module: LinearModule = { name: 'down', layer: 0, projection: 'down_proj', shape: [1536, 8960] };
  const bytes = (nestedBlock?: number) =>
    bytesByKind([nf4Allocations(module, { nestedBlock })]).get('base scales')!;
  const blocks = (1536 * 8960) / 64;
  expect(bytes()).toBe(4 * blocks);
  // A byte each, an f32 for each 256 of them, and the 256 values of the map.
  expect(bytes(256)).toBe(blocks + (4 * blocks) / 256 + 4 * 256);
});

it('a weight that stays in 16 bits takes four times the codes and no scales', () => {
  const module: LinearModule = { name: 'down', layer: 0, projection: 'down_proj', shape: [1536, 8960] };
  expect(bytesByKind([denseAllocations(module)])).toEqual(new Map([['base weights', 2 * 1536 * 8960]]));
});
