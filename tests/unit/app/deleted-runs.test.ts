import { expect, it } from 'vitest';
import type { AppState } from '../../../src/app/shared/app-state.ts';
import { runFromRecord } from '../../../src/app/shared/run-events.ts';
import { PageSession } from '../../../src/app/shared/session.ts';
import type { StoredConversation } from '../../../src/engine/protocol/chat.ts';
import type { EngineApi, RunRecord } from '../../../src/engine/protocol/protocol.ts';
import { defaultRecipe } from '../../../src/formats/recipe.ts';

const RUN = {
  ...{
    id: 'a',
    name: 'a',
    created: 1,
    status: 'finished',
    stopped: false,
    step: 1,
    maxSteps: 1,
    restarts: 0,
  },
  ...{ recipe: defaultRecipe(), inputs: { base: 'b', train: 't' }, handles: {}, checkpoints: [], log: [] },
} as unknown as RunRecord;
const said = (system: string): StoredConversation => ({
  ...{ id: system, created: 1, system, shuffle: 1, turns: [] },
});

it('nothing of a deleted run is shown, and one imported in its place has what it brings', async () => {
  let kept = [said('before')];
  const engine = {
    openChat: async () => ({ ok: true, value: { form: 'text', lacks: [], conversations: kept } }),
    tray: async () => ({ ok: true, value: [] }),
  } as unknown as EngineApi;
  const session = new PageSession(engine);
  const { store, chats, corrections } = session;
  const shown = (): Partial<AppState> => ({ run: runFromRecord(RUN, 'finished'), view: 'train' });
  store.update({ runs: [RUN], ...shown() });
  await chats.open(RUN);
  await corrections.open(RUN.id);
  expect(chats.store.state).toMatchObject({ shown: 'before', conversations: [{ system: 'before' }] });
  // By whatever button.
  store.update({ runs: [] });
  expect(store.state).toMatchObject({ run: undefined, view: 'setup' });
  expect(chats.store.state).toMatchObject({ run: undefined, shown: undefined, conversations: [] });
  expect(corrections.store.state.run).toBeUndefined();
  kept = [said('after')];
  store.update({ runs: [RUN], ...shown() });
  await chats.open(RUN);
  expect(chats.store.state).toMatchObject({ shown: 'after', conversations: [{ system: 'after' }] });
});

it('why a run failed stays, though nothing is left of it', () => {
  const { store } = new PageSession({} as EngineApi);
  store.update({ runs: [RUN], run: { ...runFromRecord(RUN, 'failed'), sentence: 'why' }, view: 'train' });
  store.update({ runs: [] });
  expect(store.state).toMatchObject({ run: { sentence: 'why' }, view: 'train' });
});
