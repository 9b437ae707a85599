import { expect, it } from 'vitest';
import { freeMemory } from '../../src/gpu/free-memory.ts';
import { openNodeGpu } from '../../src/cli/node-gpu.ts';

it('a device gives memory and gets all of it back; that of a CPU does not pass for a GPU’s', async () => {
  const gpu = await openNodeGpu('floor');
  const held: number[] = [];
  const free = await freeMemory(gpu, 2 ** 31, () => held.push(gpu.memory.total));
  if (gpu.software) expect(free).toBeUndefined();
  else expect(free === undefined || free <= 2 ** 31).toBe(true);
  expect(held).toEqual(held.map((_, i) => i * 2 ** 28));
  expect(gpu.memory.peak).toBeGreaterThanOrEqual(2 ** 28);
  expect(gpu.memory.total).toBe(0);
  expect(gpu.errors).toEqual([]);
  gpu.close();
}, 60_000);
