import { IDBFactory, IDBKeyRange } from 'fake-indexeddb';
import { beforeEach, expect, it, vi } from 'vitest';
import { openDatabase } from '../../../src/storage/database.ts';
import { RunRecords, type StoredRun } from '../../../src/storage/run-records.ts';
import { type StoredTest, TestRecords } from '../../../src/storage/test-records.ts';

beforeEach(() => void vi.stubGlobal('IDBKeyRange', IDBKeyRange));

/** The page's database as two tabs have it open. */
const twoTabs = () => {
  const factory = new IDBFactory();
  return [openDatabase('at once', { factory }), openDatabase('at once', { factory })] as const;
};

it('what two tabs note of a run at once stays, all of it', async () => {
  const [here, there] = twoTabs().map((store) => new RunRecords(store)) as [RunRecords, RunRecords];
  await here.put({ id: 'a', name: 'V2', created: 1, status: 'unfinished' } as StoredRun);
  await Promise.all([
    here.describe('a', { note: 'shorter rows' }),
    there.describe('a', { paused: true }),
    here.describe('a', { name: 'Better' }),
  ]);
  expect(await there.get('a')).toMatchObject({ name: 'Better', note: 'shorter rows', paused: true });
});

it('a run that another tab deletes does not come back by what is found out about it', async () => {
  const [here, there] = twoTabs().map((store) => new RunRecords(store)) as [RunRecords, RunRecords];
  const run = { id: 'a', name: 'V2', created: 1, status: 'finished' } as StoredRun;
  await here.put(run);
  await here.amend(run, { resultHash: 'b' });
  expect(await there.get('a')).toMatchObject({ name: 'V2', resultHash: 'b' });
  await there.delete('a');
  await here.amend(run, { resultHash: 'c' });
  expect(await here.list()).toEqual([]);
});

it('votes of two tabs at once stay, and a vote can be taken back', async () => {
  const [here, there] = twoTabs().map((store) => new TestRecords(store)) as [TestRecords, TestRecords];
  await here.create({ id: 't', name: 'Test' } as StoredTest, []);
  await Promise.all([here.vote('t', 0, 1), there.vote('t', 1, 'same'), here.vote('t', 2, 0)]);
  expect(await there.votes('t')).toEqual({ 0: 1, 1: 'same', 2: 0 });
  await there.vote('t', 1, undefined);
  expect(await here.votes('t')).toEqual({ 0: 1, 2: 0 });
});
