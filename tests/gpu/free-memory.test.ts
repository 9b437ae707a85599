import { expect, it } from 'vitest';
import { openNodeGpu } from '../../src/cli/node-gpu.ts';
import { freeMemory } from '../../src/gpu/free-memory.ts';

it('a device gives memory and gets all of it back; that of a CPU does not pass for a GPU’s', async () => {
  const gpu = await openNodeGpu('floor');
  const held: number[] = [];
  const wanted = { most: 2 ** 31, ofHost: 2 ** 29 };
  const free = await freeMemory(gpu, wanted, () => held.push(gpu.memory.total));
  expect(free).toBeGreaterThan(0);
  expect(free).toBeLessThanOrEqual(gpu.software ? wanted.ofHost : wanted.most);
  const pieces = held.map((_, i) => held[0]! + i * 2 ** 28);
  expect(held).toEqual(pieces);
  expect(gpu.memory.peak).toBeGreaterThanOrEqual(2 ** 28);
  expect(gpu.memory.total).toBe(0);
  expect(gpu.errors).toEqual([]);
  gpu.close();
}, 60_000);
