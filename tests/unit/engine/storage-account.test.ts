import { IDBFactory, IDBKeyRange } from 'fake-indexeddb';
import { promisifyRequest } from 'idb-keyval';
import { afterEach, expect, it, vi } from 'vitest';
import {
  appCategory,
  baseCategory,
  copyCategory,
  deleteStored,
  leftoverCategory,
  runCategory,
  storageAccount,
} from '../../../src/engine/files/storage-account.ts';
import type { Runs } from '../../../src/engine/runs/runs.ts';
import { BaseCache } from '../../../src/model/base/cache/base-cache.ts';
import { BrowserCacheStorage } from '../../../src/storage/base-cache.ts';
import { openDatabase, replaceEntries } from '../../../src/storage/database.ts';
import { RunRecords } from '../../../src/storage/run-records.ts';
import { storedBytes } from '../../../src/storage/stored-bytes.ts';

afterEach(() => vi.unstubAllGlobals());

const denied = () => Promise.reject(new DOMException('no', 'SecurityError'));

it('counts what the browser lets it count, and names the rest', async () => {
  vi.stubGlobal('navigator', { storageBuckets: { keys: denied }, storage: { estimate: denied } });
  vi.stubGlobal('caches', { keys: denied, delete: denied });
  const cache = new BaseCache(new BrowserCacheStorage());
  const idle = { activeAnywhere: async () => undefined } as unknown as Runs;
  const item = { key: 'run/a', kind: 'run', name: 'a', bytes: 3, parts: [], deletable: true } as const;
  const some = {
    prefix: 'run/',
    kind: 'run',
    list: async () => [item],
    delete: async () => undefined,
  } as const;
  const account = await storageAccount([some, baseCategory(cache, idle), copyCategory, appCategory]);
  expect(account.items).toEqual([item]);
  expect([...account.uncounted].toSorted()).toEqual(['app files', 'base cache', 'second copy']);
  expect(account).toMatchObject({ used: 3, overhead: undefined, left: undefined, persisted: false });
  await expect(deleteStored([appCategory], 'app/x')).rejects.toThrow(
    'The page itself: the browser does not delete it (SecurityError); clear the site data in its settings.',
  );
});

it.each([
  ['has records of its own', 10, { used: 10, overhead: 7, lags: false }],
  ['does not count yet what was written last', 2, { used: 3, overhead: 0, lags: true }],
  ['does not say', undefined, { used: 3, overhead: undefined, lags: false }],
])('the lines add up to the whole where the browser %s', async (_, usage, expected) => {
  vi.stubGlobal('navigator', { storage: { estimate: async () => ({ usage }) } });
  const list = async () => [
    { key: 'run/a', kind: 'run', name: 'a', bytes: 3, parts: [], deletable: true } as const,
  ];
  const account = await storageAccount([
    { prefix: 'run/', kind: 'run', list, delete: async () => undefined },
  ]);
  expect(account).toMatchObject(expected);
});

it('what belongs to no run and no test is told, and deleted, apart; what a run has just begun is not', async () => {
  vi.stubGlobal('IDBKeyRange', IDBKeyRange);
  const store = openDatabase('leftovers', { factory: new IDBFactory() });
  const records = new RunRecords(store);
  const active = { activeAnywhere: async () => ({ id: 'new' }), checkIdleEverywhere: async () => undefined };
  const runs = { records, ...active } as unknown as Runs;
  const rows = new Blob(['12345']);
  const kept = [
    ['inputs/new', { train: rows }],
    ['record/there', { id: 'there', name: 'there' }],
    ['run-notes/there', { note: 'a note' }],
    ['run/there/result/a', new Blob(['123'])],
    ['transaction', 7],
  ] as const;
  const gone = [
    ['inputs/gone', { train: rows, validation: undefined }],
    ['run/gone/chats/a.json', new Blob(['1234567'])],
    ['run/gone/corrections', [{ question: '?' }]],
    ['test/gone/votes', { 0: 1 }],
    ['what-is-this', 'x'],
  ] as const;
  await replaceEntries(store, [], [...kept, ...gone]);
  const bases = { leftovers: async () => 11, removeLeftovers: async () => undefined };
  const stored = () => storedBytes(store);
  const category = leftoverCategory(store, bases, runs, stored);
  const sizes = ['{}'.length + 5, 7, '[{"question":"?"}]'.length, '{"0":1}'.length, 3];
  const keys = gone.map(([key]) => key.length);
  const bytes = [...sizes, ...keys, 11].reduce((sum, size) => sum + size, 0);
  expect(await category.list()).toMatchObject([{ bytes, deletable: false }]);
  const [run] = await runCategory(runs, stored).list();
  const NOTE = 'run-notes/there'.length + '{"note":"a note"}'.length;
  const parts = [
    ['record', 'record/there'.length + '{"id":"there","name":"there"}'.length + NOTE],
    ['result', 'run/there/result/a'.length + 3],
  ] as const;
  expect(run!.parts).toEqual(parts.map(([name, bytes]) => ({ name, bytes })));
  await category.delete('all');
  const left = await store('readonly', (objects) => promisifyRequest(objects.getAllKeys()));
  expect(left).toEqual(kept.map(([key]) => key));
});
