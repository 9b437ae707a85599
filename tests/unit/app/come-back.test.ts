import { afterEach, expect, it, vi } from 'vitest';
import { runFromRecord } from '../../../src/app/shared/run-events.ts';
import { PageSession } from '../../../src/app/shared/session.ts';
import type { TestRecord } from '../../../src/engine/protocol/comparison.ts';
import type { EngineApi, RunRecord } from '../../../src/engine/protocol/protocol.ts';
import { defaultRecipe } from '../../../src/formats/recipe.ts';

afterEach(() => vi.unstubAllGlobals());

const run = (id: string) =>
  ({
    ...{ id, name: id, created: 1, status: 'finished', stopped: false, step: 1, maxSteps: 1, restarts: 0 },
    ...{ recipe: defaultRecipe(), inputs: { base: 'b', train: 't' }, handles: {}, checkpoints: [], log: [] },
  }) as unknown as RunRecord;
const test = (status: string) =>
  ({ id: 't', name: 'Test', status, versions: [], validationFile: undefined }) as unknown as TestRecord;
const correction = (question: string) => ({ question, was: 'a', answer: 'b', version: 'V2', changed: 1 });

it('a tab that is come back to shows what another has done, and none that is out of sight asks', async () => {
  const kept = {
    runs: [run('a'), run('b')],
    tests: [test('unfinished')],
    tray: [correction('here')],
    said: 1,
    asked: 0,
  };
  const ok = <T>(value: T) => ({ ok: true, value });
  const engine = {
    elsewhere: async () => void kept.asked++,
    runs: async () => kept.runs,
    tests: async () => kept.tests,
    test: async () =>
      ok({
        record: kept.tests[0],
        questions: [],
        versions: [{ answers: [], scores: [] }],
        votes: [],
        trained: [],
      }),
    tray: async () => ok(kept.tray),
    correctionFiles: async () => ({ ok: false, sentence: 'None.' }),
    openChat: async () =>
      ok({
        form: 'text',
        lacks: [],
        conversations: [{ id: 'c', created: 1, turns: Array(kept.said).fill({}) }],
      }),
  } as unknown as EngineApi;
  const session = new PageSession(engine);
  const { store, tests, corrections, chats } = session;
  const a = kept.runs[0]!;
  store.update({
    runs: kept.runs,
    storage: { ok: true, value: undefined },
    run: runFromRecord(a, 'finished'),
  });
  await Promise.all([tests.refresh(), tests.open('t'), corrections.open('a'), chats.open(a)]);

  Object.assign(kept, { runs: [a], tests: [test('finished')], said: 2 });
  kept.tray = [...kept.tray, correction('there')];
  vi.stubGlobal('document', { visibilityState: 'hidden' });
  await session.comeBack();
  expect([kept.asked, store.state.runs.length]).toEqual([0, 2]);
  vi.stubGlobal('document', { visibilityState: 'visible' });
  await session.comeBack();
  expect(kept.asked).toBe(1);
  expect(store.state.runs.map(({ id }) => id)).toEqual(['a']);
  expect(tests.store.state.detail!.record.status).toBe('finished');
  expect(corrections.store.state.tray.map(({ question }) => question)).toEqual(['here', 'there']);
  expect(chats.store.state.conversations[0]!.turns).toHaveLength(2);
  corrections.forget('a');
});
