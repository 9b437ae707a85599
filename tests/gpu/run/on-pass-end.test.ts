import { expect, it } from 'vitest';
import { readCursor } from '../../../src/run/checkpoint/checkpoint.ts';
import type { RunIdentity } from '../../../src/run/checkpoint/identity.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { caseInputs, comparable } from '../../support/run-case.ts';
import { runOnSharedDevice as run } from '../../support/shared-device.ts';

/** Three steps, saved by `onPassEnd` only. */
const inputs = () =>
  caseInputs('batch2', (r) => ({
    ...r,
    training: { ...r.training, epochs: 1, saveSteps: 100, saveTotalLimit: 10, evalSteps: 2 },
  }));

it('onPassEnd holds a run between passes and saves checkpoints of complete steps without changing a bit', async () => {
  const whole = new MemoryStore();
  let heard: RunIdentity | undefined;
  await run({
    inputs: await inputs(),
    store: whole,
    onIdentity: async (identity, maxSteps) => {
      heard = identity;
      expect(maxSteps).toBe(3);
    },
  });
  expect((await readCursor(await whole.openCheckpoint(3))).identity).toEqual(heard);

  const held = new MemoryStore();
  let calls = 0;
  const { events } = await run({
    inputs: await inputs(),
    store: held,
    onPassEnd: async (save) => {
      calls++;
      await new Promise((resolve) => setTimeout(resolve, 1));
      // Every second call is after a pass, where gradients have accumulated that the optimizer has not used.
      if (calls % 2 === 0) {
        await save();
      }
    },
  });
  const steps = events.flatMap((event) => (event.type === 'step' ? [event.progress.step] : []));
  expect(steps).toEqual([1, 2, 3]);
  expect(calls).toBeGreaterThan(steps.length);
  expect(comparable(held.result)).toEqual(comparable(whole.result));

  const early = (await held.checkpoints())[0]!;
  expect(early).toBeLessThan(3);
  const again = new MemoryStore();
  again.saved.set(early, held.saved.get(early)!);
  await run({ inputs: await inputs(), store: again });
  expect(comparable(again.result)).toEqual(comparable(whole.result));
});

it('an onInputs that refuses ends the run before a device is opened, an onIdentity before the first step', async () => {
  const refused = run({
    inputs: await inputs(),
    store: new MemoryStore(),
    openGpu: () => Promise.reject(new Error('the device was opened')),
    onInputs: () => Promise.reject(new Error('other files')),
  });
  await expect(refused).rejects.toThrow('other files');
  const store = new MemoryStore();
  const events: string[] = [];
  const later = run({
    inputs: await inputs(),
    store,
    emit: ({ type }) => events.push(type),
    onIdentity: () => Promise.reject(new Error('other files')),
  });
  await expect(later).rejects.toThrow('other files');
  expect(events).not.toContain('step');
  expect([store.saved.size, Object.keys(store.result), Object.keys(store.logs)]).toEqual([0, [], []]);
});
