import { afterEach, expect, it, vi } from 'vitest';
import {
  appCategory,
  baseCategory,
  copyCategory,
  deleteStored,
  storageAccount,
} from '../../../src/engine/files/storage-account.ts';
import type { Runs } from '../../../src/engine/runs/runs.ts';
import { BaseCache } from '../../../src/model/base/cache/base-cache.ts';
import { BrowserCacheStorage } from '../../../src/storage/base-cache.ts';

afterEach(() => vi.unstubAllGlobals());

const denied = () => Promise.reject(new DOMException('no', 'SecurityError'));

it('counts what the browser lets it count, and names the rest', async () => {
  vi.stubGlobal('navigator', { storageBuckets: { keys: denied }, storage: { estimate: denied } });
  vi.stubGlobal('caches', { keys: denied, delete: denied });
  const cache = new BaseCache(new BrowserCacheStorage());
  const idle = { active: undefined, checkIdle: () => undefined } as unknown as Runs;
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
  expect(account).toMatchObject({ used: 0, left: undefined, persisted: false });
  await expect(deleteStored([appCategory], 'app/x')).rejects.toThrow(
    'The page itself: the browser does not delete it (SecurityError); clear the site data in its settings.',
  );
});
