import { expect, it, vi } from 'vitest';
import { initialState } from '../../../src/app/shared/app-state.ts';
import type { EngineWatch } from '../../../src/app/shared/engine-watch.ts';
import { newRun } from '../../../src/app/shared/run-events.ts';
import { Store } from '../../../src/app/shared/store.ts';
import { Training } from '../../../src/app/training/training.ts';
import type { EngineApi, RunRecord } from '../../../src/engine/protocol/protocol.ts';

const RECORD = {
  id: 'a',
  name: 'V1 + rows',
  created: 1,
  status: 'unfinished',
  stopped: false,
  step: 4,
  maxSteps: 9,
  inputs: { base: 'b', source: 'v1', train: 't', validation: undefined },
  handles: {},
  lacks: [],
  restarts: 0,
  checkpoints: [],
  log: [],
} as unknown as RunRecord;

function trainingOf(record: RunRecord, more: Partial<EngineApi> = {}) {
  vi.stubGlobal('navigator', {});
  const app = new Store(initialState);
  const resumed: string[] = [];
  const engine = {
    elsewhere: async () => undefined,
    runs: async () => [record],
    resume: async (id: string) => {
      resumed.push(id);
      return { ok: true, value: { id, status: 'finished', step: 9, maxSteps: 9 } };
    },
    ...more,
  } as unknown as EngineApi;
  const storage = { check: async () => true };
  return { app, resumed, training: new Training(engine, app, {} as EngineWatch, storage) };
}

it('an unfinished run resumes with the page, unless it was stopped or paused', async () => {
  const free = trainingOf(RECORD);
  await free.training.recover();
  expect(free.resumed).toEqual(['a']);
  for (const held of [{ paused: true }, { stopped: true }]) {
    const { app, resumed, training } = trainingOf({ ...RECORD, ...held });
    await training.recover();
    expect(resumed).toEqual([]);
    expect(app.state.unfinished?.record).toMatchObject({ id: 'a', ...held });
  }
});

it('a checkpoint that was asked for is confirmed', async () => {
  let save = (): void => undefined;
  const saved = new Promise<void>((resolve) => (save = resolve));
  const { app, training } = trainingOf(RECORD, { checkpointNow: () => saved });
  app.update({ run: { ...newRun('a', true), status: 'running' } });
  const asked = training.checkpointNow();
  expect(app.state.run?.asked).toBe('saving');
  save();
  await asked;
  expect(app.state.run?.asked).toBe('done');
});
