import { IDBFactory, IDBKeyRange } from 'fake-indexeddb';
import { beforeEach, expect, it, vi } from 'vitest';
import { initialState } from '../../../src/app/shared/app-state.ts';
import type { EngineWatch } from '../../../src/app/shared/engine-watch.ts';
import { Store } from '../../../src/app/shared/store.ts';
import { shownConversation } from '../../../src/app/training/chat/chat-state.ts';
import { Chats } from '../../../src/app/training/chat/chats.ts';
import type { ChatRequest } from '../../../src/engine/protocol/chat.ts';
import type { EngineApi, RunRecord } from '../../../src/engine/protocol/protocol.ts';
import { Conversations } from '../../../src/storage/conversations.ts';
import { openDatabase } from '../../../src/storage/database.ts';
import { inTurn } from '../../support/in-turn.ts';

const RUN = {
  ...{ id: 'a', name: 'V1 + rows', created: 1, status: 'finished', step: 9, maxSteps: 9, checkpoints: [] },
  ...{ inputs: { base: 'b', source: 'v1', train: 't' }, handles: {}, lacks: [], log: [] },
} as unknown as RunRecord;

let stored: Conversations;
beforeEach(() => {
  vi.stubGlobal('IDBKeyRange', IDBKeyRange);
  vi.stubGlobal('navigator', { locks: { request: inTurn() } });
  stored = new Conversations(openDatabase('chats', { factory: new IDBFactory() }));
});

/** A tab over what all of them keep; each answer waits for `before`. */
async function tab(before: (request: ChatRequest) => Promise<unknown> = async () => undefined) {
  const engine = {
    openChat: async (run: string) => ({ ok: true, value: { conversations: await stored.list(run) } }),
    keepConversation: async (...call: Parameters<Conversations['put']>) => ({
      ok: true,
      value: await stored.put(...call),
    }),
    chat: async (_: string, request: ChatRequest) => {
      await before(request);
      const { version, messages } = request;
      return { ok: true, value: { text: `${version}: ${messages.length} messages`, ended: 'stop id' } };
    },
  } as unknown as EngineApi;
  const chats = new Chats(engine, new Store({ ...initialState, runs: [RUN] }), {} as EngineWatch);
  await chats.open(RUN);
  return chats;
}

const said = (chats: Chats) =>
  shownConversation(chats.store.state)!.turns.map(({ question, answers, vote }) => ({
    ...{ question, vote },
    answers: answers.map(({ version }) => version),
  }));
const BOTH = ['v1', 'v2'];

it('two tabs that ask at once each keep what was said to them', async () => {
  const here = await tab();
  await here.ask('First?');
  const there = await tab();
  const asking = here.ask('Second?');
  expect(await there.ask('Third?')).toBe(true);
  expect(await asking).toBe(true);
  const list = await stored.list('a');
  expect(list.map(({ turns }) => turns.map(({ question }) => question)).toSorted()).toEqual([
    ['First?', 'Second?'],
    ['First?', 'Third?'],
  ]);
  expect(list.flatMap(({ turns }) => turns.map(({ answers }) => answers.length))).toEqual([2, 2, 2, 2]);
  const parted = [here, there].filter(({ store }) => store.state.refusal !== undefined);
  expect(parted).toHaveLength(1);
  expect(parted[0]!.store.state.refusal).toMatch(/^Another tab continued this conversation too; /);
  // The tab that was parted shows its own, and has the other's too.
  expect(said(parted[0]!).at(-1)!.question).toBe(parted[0] === here ? 'Second?' : 'Third?');
  expect(parted[0]!.store.state.conversations).toEqual(list);
});

it('a vote stays while another tab is answered, and the answers while it votes', async () => {
  const there = await tab();
  const here = await tab(async ({ version, turn }) => {
    if (turn === 1) {
      // Once before the turn is kept, and once between its answers.
      await there.vote(0, version as 'v1' | 'v2');
    }
  });
  await here.ask('First?');
  await there.refresh();
  there.show(here.store.state.shown);
  await here.ask('Second?');
  const expected = [
    { question: 'First?', vote: 'v2', answers: BOTH },
    { question: 'Second?', vote: undefined, answers: BOTH },
  ];
  expect(said(here)).toEqual(expected);
  // Its last vote came before the second turn had its second answer.
  await there.vote(1, 'v1');
  const voted = expected.with(1, { ...expected[1]!, vote: 'v1' });
  expect(said(there)).toEqual(voted);
  await here.vote(0, 'same');
  expect(said(here)).toEqual(voted.with(0, { ...voted[0]!, vote: 'same' }));
  expect(await stored.list('a')).toHaveLength(1);
});

it('what is asked behind a turn that is still being answered stays', async () => {
  let there: Chats | undefined;
  const here = await tab(async ({ version }) => {
    if (version === 'v2') {
      there = await tab();
      await there.ask('Second?');
    }
  });
  await here.ask('First?');
  expect(said(here)).toEqual([
    { question: 'First?', vote: undefined, answers: BOTH },
    { question: 'Second?', vote: undefined, answers: BOTH },
  ]);
});
