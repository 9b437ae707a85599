import { IDBFactory, IDBKeyRange } from 'fake-indexeddb';
import { beforeEach, expect, it, vi } from 'vitest';
import { runCategory } from '../../../src/engine/files/storage-account.ts';
import type { Runs } from '../../../src/engine/runs/runs.ts';
import type { StoredConversation } from '../../../src/storage/conversation.ts';
import { Conversations } from '../../../src/storage/conversations.ts';
import { openDatabase } from '../../../src/storage/database.ts';
import { RunRecords, type StoredRun } from '../../../src/storage/run-records.ts';
import { storedBytes } from '../../../src/storage/stored-bytes.ts';
import { inTurn } from '../../support/in-turn.ts';

const RUN = '01234567-89ab-4cde-8f01-23456789abcd';
const sampling = { temperature: 0, topP: 0.9, maxNewTokens: 8, seed: 42, stop: ['\n\nQ'] };
const conversation = (number: number, text = 'one\u202e'): StoredConversation => ({
  ...{
    id: `${number}2345678-89ab-4cde-8f01-23456789abcd`,
    created: number,
    system: 'S',
    shuffle: 2 ** 32 - 1,
  },
  turns: [
    {
      ...{ question: '1?', sampling, blind: true, vote: 'same' as const },
      answers: [{ version: 'checkpoint-40', text, ended: 'stop text' }],
    },
  ],
});

let store: ReturnType<typeof openDatabase>;
let conversations: Conversations;
beforeEach(() => {
  vi.stubGlobal('IDBKeyRange', IDBKeyRange);
  vi.stubGlobal('navigator', { locks: { request: inTurn() } });
  store = openDatabase('conversations', { factory: new IDBFactory() });
  conversations = new Conversations(store);
});

it('keeps conversations by run, the newest first, each as it is now', async () => {
  await conversations.put(RUN, conversation(1), undefined);
  await conversations.put(RUN, conversation(2), undefined);
  await conversations.put('other', conversation(3), undefined);
  expect(await conversations.list(RUN)).toEqual([conversation(2), conversation(1)]);
  await conversations.put(RUN, conversation(1, 'two'), conversation(1));
  await conversations.delete(RUN, conversation(2).id);
  expect(await conversations.list(RUN)).toEqual([conversation(1, 'two')]);
});

it('refuses one that is too long to be read again', async () => {
  await expect(conversations.put(RUN, conversation(1, 'x'.repeat(2 ** 22)), undefined)).rejects.toThrow(
    'This conversation is too long to be kept; begin a new one.',
  );
  expect(await conversations.list(RUN)).toEqual([]);
});

it('loses nothing where two tabs go on with one at once', async () => {
  const before = conversation(1);
  const with_ = (text: string) => ({ ...before, turns: [...before.turns, ...conversation(2, text).turns] });
  await conversations.put(RUN, before, undefined);
  const [first, second] = await Promise.all(
    ['here', 'there'].map((text) => conversations.put(RUN, with_(text), before)),
  );
  expect(first).toEqual(with_('here'));
  expect(second).toEqual({ ...with_('there'), id: second!.id, created: second!.created });
  expect(second!.id).not.toBe(before.id);
  expect(await conversations.list(RUN)).toEqual([second, first]);
});

it('counts them with their run, and deletes them with it', async () => {
  const records = new RunRecords(store);
  await records.put({ id: RUN, name: 'V2', created: 1, status: 'finished' } as StoredRun);
  await conversations.put(RUN, conversation(1), undefined);
  const runs = { records, activeAnywhere: async () => undefined } as unknown as Runs;
  const [item] = await runCategory(runs, () => storedBytes(store)).list();
  const bytes = new TextEncoder().encode(JSON.stringify(conversation(1))).length;
  const { key, counted } = { key: `run/${RUN}/chats/${conversation(1).id}.json`, counted: item!.parts };
  expect(counted.find(({ name }) => name === 'conversations')!.bytes).toBe(key.length + bytes);
  expect(item!.bytes).toBe(counted.reduce((sum, part) => sum + part.bytes, 0));
  await records.delete(RUN);
  expect(await conversations.list(RUN)).toEqual([]);
});
