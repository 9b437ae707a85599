import { IDBFactory, IDBKeyRange } from 'fake-indexeddb';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { UserError } from '../../../src/formats/user-error.ts';
import { BaseCache } from '../../../src/model/base/cache/base-cache.ts';
import { CacheRefusal } from '../../../src/model/base/cache/storage.ts';
import { runLockHeld, withRunLock } from '../../../src/platform/run-lock.ts';
import { BrowserCacheStorage } from '../../../src/storage/base-cache.ts';
import { checkStorage } from '../../../src/storage/check-storage.ts';
import { openDatabase } from '../../../src/storage/database.ts';
import { openMirroredStore } from '../../../src/storage/mirrored-store.ts';
import { storageEstimate } from '../../../src/storage/quota.ts';
import { RunRecords, type StoredRun } from '../../../src/storage/run-records.ts';
import { browserTuning } from '../../../src/storage/tuning.ts';
import { BrowserProfile, openPage } from '../../support/fault-page.ts';
import { memoryDirectory } from '../../support/memory-cache.ts';

beforeEach(() => vi.stubGlobal('IDBKeyRange', IDBKeyRange));
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** The message for the user; anything but a UserError is a bug. */
async function sentenceOf(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => new Error('nothing was refused'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof UserError)) {
    throw error;
  }
  return error.message;
}

const REMEDY = "allow site data for this address in the browser's settings, then reload the page.";

/** A database whose opening ends in an event. */
const opening = (event: 'onerror' | 'onblocked', error?: DOMException) =>
  ({
    open: () => {
      const request = { error } as { error?: DOMException } & Record<string, (() => void) | undefined>;
      queueMicrotask(() => request[event]?.());
      return request;
    },
  }) as unknown as IDBFactory;
const throwing = (error: DOMException) =>
  ({
    open: () => {
      throw error;
    },
  }) as unknown as IDBFactory;

describe('a database that does not open', () => {
  it.each([
    [
      'none',
      undefined,
      `The browser does not let this page keep anything (there is no IndexedDB); ${REMEDY}`,
    ],
    [
      'one that may not be opened',
      throwing(new DOMException('denied', 'SecurityError')),
      `The browser does not let this page keep anything (SecurityError); ${REMEDY}`,
    ],
    [
      'one in the words of Chrome where site data is blocked',
      opening(
        'onerror',
        new DOMException('The user denied permission to access the database.', 'UnknownError'),
      ),
      `The browser does not let this page keep anything (UnknownError); ${REMEDY}`,
    ],
    [
      'a broken one',
      opening('onerror', new DOMException('Internal error opening backing store.', 'UnknownError')),
      "The browser's database failed (UnknownError); reload the page and try again, or restart the browser.",
    ],
    [
      'a full disk',
      opening('onerror', new DOMException('full', 'QuotaExceededError')),
      'The browser has no room left for what was to be kept; delete earlier runs or free some disk space.',
    ],
    [
      'one that another tab holds',
      opening('onblocked'),
      "Another tab of this page holds the browser's database; close that tab and reload this one.",
    ],
  ])('%s is told in a sentence', async (_, factory, sentence) => {
    vi.stubGlobal('indexedDB', factory);
    expect(await sentenceOf(checkStorage(openDatabase('retune')))).toBe(sentence);
  });

  it('is told of within a minute where it gives no answer', async () => {
    vi.useFakeTimers();
    const factory = { open: () => ({}) } as unknown as IDBFactory;
    const told = sentenceOf(checkStorage(openDatabase('retune', { factory })));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await told).toMatch(/^The browser's database has given no answer for a minute; close other tabs/);
  });

  it('opens once it may', async () => {
    let factory = throwing(new DOMException('denied', 'SecurityError'));
    vi.stubGlobal('indexedDB', { open: (...args: [string, number]) => factory.open(...args) });
    const store = openDatabase('retune');
    await sentenceOf(checkStorage(store));
    factory = new IDBFactory();
    await checkStorage(store);
  });
});

describe('storage that fails at some operation', () => {
  const record = { id: 'a', name: 'Run A' } as StoredRun;
  const archived = [['result/adapter_model.safetensors', new Blob(['1'])]] as const;
  const works: readonly [name: string, work: (page: ReturnType<typeof openPage>) => Promise<unknown>][] = [
    ['a look at it', ({ store }) => checkStorage(store)],
    ['an import', ({ records }) => records.restore(record, archived)],
    ['a list of the runs', ({ records }) => records.list()],
    ['a note', ({ records }) => records.describe('a', { note: 'good' })],
    ['a deletion', ({ records }) => records.delete('a')],
  ];
  const faults = ['SecurityError', 'UnknownError', 'QuotaExceededError', 'abort', 'closing'];
  it.each(works.flatMap(([name, work]) => faults.map((fault) => [name, fault, work] as const)))(
    '%s ends in a sentence, or as it should: %s',
    async (_, fault, work) => {
      const { idb, ...page } = openPage(new BrowserProfile());
      await work({ idb, ...page });
      const places = idb.trace.length;
      expect(places).toBeGreaterThan(2);
      let told = 0;
      for (let at = 1; at <= places; at++) {
        for (const lasting of [false, true]) {
          const end = await work(openPage(new BrowserProfile(), { at, fault, lasting })).catch(
            (error: unknown) => error,
          );
          if (!(end instanceof Error)) {
            continue;
          }
          if (!(end instanceof UserError)) {
            throw end;
          }
          expect(end.message).toMatch(/^[^\n]{20,300}; [^\n]{10,200}\.$/);
          told++;
        }
      }
      expect(told).toBeGreaterThan(0);
    },
  );
});

describe('locks that the browser refuses', () => {
  const denied = () => Promise.reject(new DOMException('The request was denied.', 'SecurityError'));
  it.each([
    ['none', undefined, 'there are no Web Locks'],
    ['refused ones', { request: denied, query: denied }, 'SecurityError'],
  ])('%s are told, and are not taken for another tab that trains', async (_, locks, why) => {
    vi.stubGlobal('navigator', { locks });
    vi.stubGlobal('indexedDB', new IDBFactory());
    const sentence = `The page cannot tell its tabs apart: the browser does not let this page keep anything (${why}); ${REMEDY}`;
    expect(await sentenceOf(withRunLock(async () => 'trained'))).toBe(sentence);
    expect(await sentenceOf(runLockHeld())).toBe(sentence);
    expect(
      await sentenceOf(new RunRecords(openMirroredStore()).put({ id: 'a', name: 'A' } as StoredRun)),
    ).toBe(sentence);
  });

  it('one that is not granted in time means that another tab trains', async () => {
    const late = () => Promise.reject(new DOMException('signal timed out', 'TimeoutError'));
    vi.stubGlobal('navigator', { locks: { request: late } });
    expect(await withRunLock(async () => 'trained')).toBeUndefined();
  });
});

it.each([
  ['there is none', undefined],
  ['it cannot be asked', {}],
  [
    'it refuses',
    {
      estimate: () => Promise.reject(new DOMException('no', 'SecurityError')),
      persisted: () => Promise.reject(new TypeError('no')),
    },
  ],
])('what is left is unknown where %s', async (_, storage) => {
  vi.stubGlobal('navigator', { storage });
  expect(await storageEstimate()).toEqual({ used: 0, left: undefined, persistent: false });
});

describe("the browser's own file system", () => {
  const failing = (name: string) => () => Promise.reject(new DOMException('injected', name));
  it.each([
    ['missing', undefined, 'the browser has no file system of its own'],
    ['missing in part', {}, 'the browser has no file system of its own'],
    ['refused', { getDirectory: failing('SecurityError') }, 'the browser refuses it (SecurityError)'],
    ['not allowed', { getDirectory: failing('NotAllowedError') }, 'the browser refuses it (NotAllowedError)'],
    ['full', { getDirectory: failing('QuotaExceededError') }, 'the browser has no room for it'],
  ])('where it is %s the cache is refused, and a base is read from its folder', async (_, storage, why) => {
    vi.stubGlobal('navigator', { storage });
    const cache = new BrowserCacheStorage();
    await expect(cache.begin('base', 1)).rejects.toEqual(new CacheRefusal(why));
    await expect(new BaseCache(cache).list()).rejects.toBeInstanceOf(CacheRefusal);
    expect(await new BaseCache(cache).folder('0'.repeat(64), true)).toBeUndefined();
  });

  it('a file that another tab writes is refused, and what was begun goes away', async () => {
    const directory = memoryDirectory();
    const folder = await directory.getDirectoryHandle('base', { create: true });
    const locked = {
      ...folder,
      getFileHandle: async () => ({ createSyncAccessHandle: failing('NoModificationAllowedError') }),
    };
    const cache = new BrowserCacheStorage(
      async () => ({
        ...directory,
        getDirectoryHandle: async (name, options) =>
          options?.create ? (locked as never) : directory.getDirectoryHandle(name),
      }),
      async () => undefined,
    );
    const writer = await cache.begin('base', 1);
    await expect(writer.append('image', new Uint8Array(1))).rejects.toEqual(
      new CacheRefusal('the browser refuses it (NoModificationAllowedError)'),
    );
    await writer.abandon();
    expect(directory.folders.size).toBe(0);
  });
});

it('a device is tuned again if its results cannot be stored', async () => {
  const tuning = browserTuning(
    openDatabase('retune', { factory: throwing(new DOMException('no', 'SecurityError')) }),
    'test',
  );
  expect(await tuning.get('gpu')).toBeUndefined();
  await tuning.set('gpu', {});
});
