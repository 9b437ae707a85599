import { afterEach, expect, it, vi } from 'vitest';
import { checks } from '../../../src/app/setup/checks.ts';
import { type AppState, initialState } from '../../../src/app/shared/app-state.ts';
import type { EngineWatch } from '../../../src/app/shared/engine-watch.ts';
import { fromStorage } from '../../../src/app/shared/from-storage.ts';
import { StorageUse } from '../../../src/app/shared/storage.ts';
import { Store } from '../../../src/app/shared/store.ts';
import { Training } from '../../../src/app/training/training.ts';
import type { Answer, ChosenInputs, EngineApi } from '../../../src/engine/protocol/protocol.ts';
import { UserError } from '../../../src/formats/user-error.ts';

afterEach(() => vi.unstubAllGlobals());

const SENTENCE = 'The browser does not let this page keep anything; allow it.';
const refused = { ok: false, sentence: SENTENCE } as const;
const PLAN = {
  ok: true,
  value: {
    bytes: [],
    total: 1e9,
    maxSteps: 60,
    checkpointBytes: 2e8,
    checkpointsKept: 2,
    storageLeft: 1e10,
    advisories: [],
    work: 540_000,
    speedConditions: {},
  },
} satisfies AppState['plan'];
const DEVICE = {
  ok: true,
  value: { name: 'a GPU', software: false, maxBufferBytes: 1, bindingBytes: 1, key: 'a' },
} satisfies AppState['device'];
const space = (state: Partial<AppState>) =>
  checks({ ...initialState, ...state }).find(({ title }) => title === 'Space for checkpoints');

it('a run needs a place for its checkpoints before it starts', () => {
  expect(space({ plan: PLAN })).toMatchObject({ state: 'busy' });
  expect(space({ plan: PLAN, storage: { ok: true, value: undefined } })).toMatchObject({ state: 'good' });
  // Even while nothing is chosen: it is the first thing to fix.
  for (const plan of [PLAN, undefined]) {
    expect(space({ plan, storage: refused })).toMatchObject({ state: 'bad', detail: /keeps none/ });
  }
});

it('one that is full is bad, and one that does not say how full it is makes careful', () => {
  const left = (storageLeft: number | undefined) =>
    space({
      storage: { ok: true, value: undefined },
      plan: { ok: true, value: { ...PLAN.value, storageLeft } },
    });
  expect(left(3e8)).toMatchObject({ state: 'bad', detail: /allows only .* more; free disk space/ });
  expect(left(5e8)).toMatchObject({ state: 'warn' });
  expect(left(undefined)).toMatchObject({ state: 'warn', detail: /does not say how much it allows/ });
});

it('a measurement that was canceled says so, can be made again, and is in no way of the start', () => {
  const state = { ...initialState, plan: PLAN, device: DEVICE };
  const refusal = 'Measuring was canceled.';
  const check = checks({ ...state, measured: { refusal } }).find(({ title }) => title === 'Time');
  expect(check).toEqual({ state: 'warn', title: 'Time', aside: true, detail: refusal, again: 'speed' });
  const plan = { ok: false, sentence: 'It was canceled.' } as const;
  const memory = checks({ ...initialState, plan }).find(({ title }) => title === 'GPU memory');
  expect(memory).toMatchObject({ state: 'bad', detail: 'It was canceled.', again: 'plan' });
});

it('what the browser cannot read is told above the page, and what is shown stays', async () => {
  const app = new Store(initialState);
  expect(await fromStorage(app, () => Promise.reject(new UserError(SENTENCE)), 'before')).toBe('before');
  expect(app.state.storage).toEqual(refused);
  await expect(fromStorage(app, () => Promise.reject(new TypeError('a bug')), 1)).rejects.toThrow('a bug');
  expect(await fromStorage(app, async () => 'now', 'before')).toBe('now');
});

/** A training whose engine stores things as `storage` says, and what it was asked to start. */
function trainingWith(storage: Answer<undefined>) {
  const app = new Store(initialState);
  const started: unknown[] = [];
  const engine = {
    checkStorage: async () => storage,
    elsewhere: () =>
      storage.ok ? Promise.resolve(undefined) : Promise.reject(new UserError(storage.sentence)),
    runs: () => (storage.ok ? Promise.resolve([]) : Promise.reject(new UserError(storage.sentence))),
    start: async (inputs: unknown) => {
      started.push(inputs);
      return { ok: true, value: { id: 'a', status: 'finished', step: 1, maxSteps: 1 } };
    },
  } as unknown as EngineApi;
  const training = new Training(engine, app, {} as EngineWatch, new StorageUse(engine, app));
  return { app, training, started };
}

it('a run that could keep no checkpoint does not start', async () => {
  vi.stubGlobal('navigator', {});
  const inputs = { base: { name: 'base', files: [] }, train: { file: new File([], 'a.jsonl') } };
  const none = trainingWith(refused);
  await none.training.start(inputs as unknown as ChosenInputs, () => undefined);
  expect(none.started).toEqual([]);
  expect(none.app.state).toEqual({ ...initialState, storage: refused, elsewhere: undefined });
  const some = trainingWith({ ok: true, value: undefined });
  await some.training.start(inputs as unknown as ChosenInputs, () => undefined);
  expect(some.started).toHaveLength(1);
  expect(some.app.state).toMatchObject({ persisted: false, view: 'train' });
});

it('what waits there is not looked for where nothing can be read', async () => {
  const { app, training } = trainingWith(refused);
  await training.recover();
  expect(app.state).toEqual({ ...initialState, storage: refused, elsewhere: undefined });
});

it.each([
  ['there is no such promise', {}],
  ['it is refused', { persist: () => Promise.resolve(false) }],
  ['asking fails', { persist: () => Promise.reject(new TypeError('no')) }],
])('says that the browser promises nothing where %s', async (_, storage) => {
  vi.stubGlobal('navigator', { storage });
  const account = { items: [], uncounted: [], used: 0, left: undefined, persisted: false };
  const use = new StorageUse(
    { storage: async () => account } as unknown as EngineApi,
    new Store(initialState),
  );
  await use.persist();
  expect(use.store.state.refusal).toMatch(/^The browser did not promise it: .*never in a private window\.$/);
});
