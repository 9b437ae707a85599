import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { checks } from '../../../src/app/setup/checks.ts';
import { difference, measuredSpeeds } from '../../../src/app/setup/measured-speeds.ts';
import { SpeedMeasuring } from '../../../src/app/setup/speed-measuring.ts';
import { type AppState, initialState } from '../../../src/app/shared/app-state.ts';
import { newRun } from '../../../src/app/shared/run-events.ts';
import { Store } from '../../../src/app/shared/store.ts';
import type { Answer, ChosenInputs, EngineApi } from '../../../src/engine/protocol/protocol.ts';
import { UserError } from '../../../src/formats/user-error.ts';
import type { SpeedConditions } from '../../../src/run/training-speed.ts';
import type { TrainingSpeed } from '../../../src/run/warm-up.ts';

const REST_MS = 1500;
const kept = new Map<string, string>();
let plans = 0;
let asked: { signal: AbortSignal; give: (answer: Answer<TrainingSpeed>) => void }[];
let busy: boolean;

beforeEach(() => {
  vi.useFakeTimers();
  kept.clear();
  asked = [];
  busy = false;
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => kept.set(key, value),
  });
  vi.stubGlobal('navigator', { userAgent: 'Chrome/156' });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** A page on a device, as after a reload. */
function page(software = false, name = 'a GPU') {
  const device = { name, software, maxBufferBytes: 1, bindingBytes: 1, key: name };
  const store = new Store<AppState>({ ...initialState, device: { ok: true, value: device } });
  const engine: Pick<EngineApi, 'measureSpeed'> = {
    measureSpeed: (_, __, ___, signal) =>
      new Promise((give, reject) => {
        asked.push({ signal: signal!, give });
        signal!.addEventListener('abort', () => {
          const reason: unknown = signal!.reason;
          if (reason instanceof UserError) {
            give({ ok: false, sentence: reason.message });
          } else {
            reject(reason as Error);
          }
        });
      }),
  };
  const speed = new SpeedMeasuring(engine, store, {
    inputs: () => ({}) as ChosenInputs,
    busy: () => busy,
  });
  return { store, speed };
}

function plan(store: Store<AppState>, speedConditions: SpeedConditions, work = 9000): void {
  store.update({ plan: undefined, planning: true });
  const value = { maxSteps: plans++, work, speedConditions } as (AppState['plan'] & { ok: true })['value'];
  store.update({ plan: { ok: true, value }, planning: false });
}

const row = (store: Store<AppState>) => checks(store.state).find(({ title }) => title === 'Time');
const fast = { ok: true, value: { tokensPerSecond: 90 } } as const;
const rest = () => vi.advanceTimersByTimeAsync(REST_MS);
const ROWS = { rank: '32', 'tokens per row': 100 };

it('is measured by itself once, kept over a reload, and scaled to what is planned', async () => {
  const { store } = page();
  plan(store, ROWS);
  expect(row(store)).toMatchObject({ state: 'busy', detail: 'Measuring one pass…', cancel: 'speed' });
  // Another change before the choices have rested.
  await vi.advanceTimersByTimeAsync(REST_MS / 2);
  plan(store, { ...ROWS, rank: '16' });
  await vi.advanceTimersByTimeAsync(REST_MS / 2);
  expect(asked).toHaveLength(0);
  await rest();
  expect(asked).toHaveLength(1);
  // A change that does not matter leaves it going.
  plan(store, { rank: '16', 'tokens per row': 104 }, 18_000);
  asked[0]!.give(fast);
  await rest();
  expect(row(store)).toMatchObject({
    state: 'good',
    detail: 'About 3 min 20 s, at 90 tokens per second.',
    aside: true,
  });
  plan(store, { rank: '16', 'tokens per row': 95 }, 9000);
  expect(row(store)).toMatchObject({ detail: 'About 1 min 40 s, at 90 tokens per second.' });
  const later = page().store;
  plan(later, { ...ROWS, rank: '16' });
  expect(row(later)).toMatchObject({ state: 'good' });
  await rest();
  expect(asked).toHaveLength(1);
});

it('is dropped, and says why, when something changes that it depends on', async () => {
  const first = page(true);
  plan(first.store, ROWS);
  await rest();
  expect([asked.length, row(first.store)]).toEqual([0, undefined]);
  const measured = first.speed.measure();
  asked[0]!.give(fast);
  await measured;
  plan(first.store, { ...ROWS, 'tokens per row': 111 });
  expect(row(first.store)).toEqual({
    ...{ state: 'warn', title: 'Time', aside: true, again: 'speed', act: 'Measure again' },
    detail: 'Measured with 100 tokens per row; now 111.',
  });
  plan(first.store, ROWS);
  expect(row(first.store)).toMatchObject({ state: 'good' });
  const { deviceInputs } = first.store.state;
  first.store.update({ deviceInputs: { ...deviceInputs, texts: { ...deviceInputs.texts, memory: '4' } } });
  plan(first.store, ROWS);
  expect(row(first.store)).toMatchObject({
    detail: 'Measured with “GPU memory at most” empty; now 4.',
  });
  const other = page(true, 'another').store;
  plan(other, ROWS);
  expect(row(other)).toMatchObject({ detail: 'Measured with GPU a GPU; now another.' });
  vi.stubGlobal('navigator', { userAgent: 'x'.repeat(99) });
  const updated = page(true).store;
  plan(updated, ROWS);
  expect(row(updated)).toMatchObject({ detail: 'Measured with another version of the browser.' });
});

it('ends where it is canceled, and is not begun again until something changes or it is asked for', async () => {
  const { store, speed } = page();
  plan(store, ROWS);
  speed.cancel();
  await rest();
  expect(asked).toHaveLength(0);
  plan(store, ROWS);
  await rest();
  expect(row(store)).toMatchObject({ state: 'warn', detail: /was canceled/, again: 'speed' });
  void speed.measure();
  speed.cancel();
  await rest();
  expect(asked[0]!.signal.aborted).toBe(true);
  expect(row(store)).toMatchObject({ state: 'warn', again: 'speed' });
  plan(store, { ...ROWS, rank: '8' });
  await rest();
  expect(asked).toHaveLength(2);
});

it('gives way to a run, a test, or another tab', async () => {
  const { store, speed } = page();
  plan(store, ROWS);
  await rest();
  speed.giveWay();
  expect(asked[0]!.signal.aborted).toBe(true);
  store.update({ run: newRun('a run', true) });
  plan(store, ROWS);
  await rest();
  expect(asked).toHaveLength(1);
  store.update({ run: undefined });
  await rest();
  expect(asked).toHaveLength(2);
  busy = true;
  speed.follow();
  expect(asked[1]!.signal.aborted).toBe(true);
  expect(row(store)).toBeUndefined();
  await rest();
  expect(asked).toHaveLength(2);
});

it('does without what the browser does not keep, or what another version kept', () => {
  kept.set('retune-measured', '[{"conditions":{"a":{}},"tokensPerSecond":1,"time":1},7]');
  expect(measuredSpeeds()).toEqual([]);
  vi.stubGlobal('localStorage', undefined);
  expect(measuredSpeeds()).toEqual([]);
  expect(difference({}, { rank: '8' })).toBe('rank none; now 8.');
});
