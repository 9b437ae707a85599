import { expect, it, vi } from 'vitest';
import { plan } from '../../../src/engine/runs/plan.ts';
import { chosenInputs } from '../../support/fault-page.ts';
import { casePath } from '../../support/model-case.ts';

it('tells the page the memory of the precision that the run will have', async () => {
  // A browser that says nothing of its storage.
  vi.stubGlobal('navigator', {});
  const inputs = chosenInputs((name) => casePath('batch2', name));
  const planned = async (precision: 'f32' | 'matrix') => {
    const device = { software: false, bindingBytes: 2 ** 27, precision };
    const { most, total } = await plan(inputs, { ...device, budget: undefined });
    const within = await plan(inputs, { ...device, budget: 1e9 });
    return { most: most!, total, within: new Map(within.bytes) };
  };
  const [exact, halves] = [await planned('f32'), await planned('matrix')];
  expect(halves.most).toBeLessThan(exact.most);
  // With the least that is kept, no gate and up are.
  expect(halves.total).toBe(exact.total);
  const kept = 'kept activations';
  expect(halves.within.get(kept)).toBeLessThan(exact.within.get(kept)!);
  expect([...halves.within].filter(([kind]) => kind !== kept)).toEqual(
    [...exact.within].filter(([kind]) => kind !== kept),
  );
});
