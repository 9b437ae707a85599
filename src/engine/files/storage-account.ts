import type { UseStore } from 'idb-keyval';
import { UserError } from '../../formats/user-error.ts';
import type { BaseCache } from '../../model/base/cache/base-cache.ts';
import { CacheRefusal } from '../../model/base/cache/storage.ts';
import type { BrowserCacheStorage } from '../../storage/base-cache.ts';
import { mirroredBytes } from '../../storage/bucket-mirror.ts';
import { choicesBytes, deleteChoices } from '../../storage/choices-database.ts';
import { keysUnder, replaceEntries, under } from '../../storage/database.ts';
import { NAME } from '../../storage/mirrored-store.ts';
import { storageEstimate } from '../../storage/quota.ts';
import { keysOwnedBy, type StoredBytes, sumOf } from '../../storage/stored-bytes.ts';
import type { TestRecords } from '../../storage/test-records.ts';
import { TUNING } from '../../storage/tuning.ts';
import type { BatchTests } from '../comparison/tests.ts';
import type { StorageAccount, StorageItem } from '../protocol/comparison.ts';
import type { Runs } from '../runs/runs.ts';

/** Something that takes up the browser's storage item by item. */
interface StorageCategory {
  /** What its items' keys begin with. */
  readonly prefix: string;
  readonly kind: StorageItem['kind'];
  list(): Promise<StorageItem[]>;
  /** `name`: an item's key without the prefix. Throws UserError where it is in use. */
  delete(name: string): Promise<void>;
}

/** What takes up the browser's storage, the largest first, what of it is the browser's own, and whether it may clear it by itself. */
export async function storageAccount(categories: readonly StorageCategory[]): Promise<StorageAccount> {
  const uncounted: StorageItem['kind'][] = [];
  const lists = await Promise.all(
    categories.map((category) =>
      category.list().catch((error: unknown) => {
        // Where the browser refuses one kind, the others are still counted.
        if (!(error instanceof DOMException || error instanceof UserError)) {
          throw error;
        }
        uncounted.push(category.kind);
        return [];
      }),
    ),
  );
  const { used, left, persistent } = await storageEstimate();
  const items = lists.flat().toSorted((a, b) => b.bytes - a.bytes);
  const sum = items.reduce((bytes, item) => bytes + item.bytes, 0);
  // 0: the browser does not say.
  const overhead = used === 0 ? undefined : Math.max(0, used - sum);
  return {
    items,
    uncounted,
    used: Math.max(used, sum),
    overhead,
    lags: used > 0 && sum > used,
    left,
    persisted: persistent,
  };
}

/** Throws UserError where the item is in use or there is none of that key. */
export async function deleteStored(categories: readonly StorageCategory[], key: string): Promise<undefined> {
  const category = categories.find(({ prefix }) => key.startsWith(prefix));
  if (!category) {
    throw new UserError('This is no longer in the browser.');
  }
  await category.delete(key.slice(category.prefix.length));
}

/** Deletes all but the page itself and what only the browser can free. Throws UserError where something is in use. */
export async function deleteAllStored(categories: readonly StorageCategory[]): Promise<undefined> {
  for (const category of categories.filter(({ kind }) => kind !== 'app files' && kind !== 'second copy')) {
    for (const { key } of await category.list()) {
      await category.delete(key.slice(category.prefix.length));
    }
  }
}

/** The run or test that uses the device, in this tab or another; where the browser refuses locks, in this one. */
const inUse = async (runs: Runs): Promise<string | undefined> =>
  (await runs.activeAnywhere().catch(() => runs.active))?.id;

/** Runs by their parts: every checkpoint, the result, logs, conversations, corrections, the copies of their inputs. */
export function runCategory(runs: Runs, stored: () => Promise<StoredBytes>): StorageCategory {
  return {
    prefix: 'run/',
    kind: 'run',
    list: async () => {
      const [records, { runs: bytes }, used] = await Promise.all([
        runs.records.list(),
        stored(),
        inUse(runs),
      ]);
      return records.map(({ id, name }) => ({
        key: `run/${id}`,
        kind: 'run' as const,
        name,
        ...counted(bytes.get(id)),
        deletable: id !== used,
      }));
    },
    delete: (id) => runs.delete(id),
  };
}

export function testCategory(
  tests: BatchTests,
  records: TestRecords,
  runs: Runs,
  stored: () => Promise<StoredBytes>,
): StorageCategory {
  return {
    prefix: 'test/',
    kind: 'test',
    list: async () => {
      const [all, { tests: bytes }, used] = await Promise.all([records.list(), stored(), inUse(runs)]);
      return all.map(({ id, name }) => ({
        key: `test/${id}`,
        kind: 'test' as const,
        name,
        ...counted(bytes.get(id)),
        deletable: id !== used,
      }));
    },
    delete: (id) => tests.delete(id),
  };
}

function counted(parts: ReadonlyMap<string, number> = new Map()): Pick<StorageItem, 'bytes' | 'parts'> {
  const list = [...parts].map(([name, bytes]) => ({ name, bytes }));
  return { bytes: list.reduce((sum, { bytes }) => sum + bytes, 0), parts: list };
}

/** Quantized bases that the next start loads instead of their folders. */
export function baseCategory(cache: BaseCache, runs: Runs): StorageCategory {
  return {
    prefix: 'base/',
    kind: 'base cache',
    list: async () => {
      const bases = await cache.list().catch(refusal);
      const deletable = (await inUse(runs)) === undefined;
      return bases.map(({ id, name, bytes }) => {
        return { key: `base/${id}`, kind: 'base cache' as const, name, bytes, parts: [], deletable };
      });
    },
    delete: async (id) => {
      // A run that is loading may be reading it.
      await runs.checkIdleEverywhere();
      await cache.delete(id).catch(refusal);
    },
  };
}

/** Throws what the cache refused as what the user can read. */
function refusal(error: unknown): never {
  if (!(error instanceof CacheRefusal)) {
    throw error;
  }
  throw new UserError(`The cache of bases: ${error.message.replace(/\.$/, '')}; try again.`);
}

/** Choices of the first screen, kept until a run starts with them. */
export function choicesCategory(store: UseStore): StorageCategory {
  return {
    prefix: 'choices/',
    kind: 'choices',
    list: async () =>
      [only('choices', 'choices', await choicesBytes(store))].filter(({ bytes }) => bytes > 0),
    delete: () => deleteChoices(store),
  };
}

/** Which kernels are the fastest on this device; without it they are timed again. */
export function deviceCategory(
  store: UseStore,
  runs: Runs,
  stored: () => Promise<StoredBytes>,
): StorageCategory {
  return {
    prefix: 'device/',
    kind: 'device',
    list: async () => {
      const { device } = await stored();
      return [{ ...only('device', 'device', device), deletable: (await inUse(runs)) === undefined }];
    },
    delete: async () => {
      await runs.checkIdleEverywhere();
      await replaceEntries(store, [under(TUNING)], []);
    },
  };
}

/**
 * What belongs to no run and no test any more, such as what was written into one while it was deleted, and a base that
 * was not written to its end.
 */
export function leftoverCategory(
  store: UseStore,
  bases: Pick<BrowserCacheStorage, 'leftovers' | 'removeLeftovers'>,
  runs: Runs,
  stored: () => Promise<StoredBytes>,
): StorageCategory {
  /** What a run or a test that has just begun writes before it is on record is its own. */
  const owners = async () => {
    const [found, used] = await Promise.all([stored(), inUse(runs)]);
    const known = { run: new Set<string>(), test: new Set<string>() };
    for (const key of [...(await keysUnder(store, 'record/')), ...(await keysUnder(store, 'test-record/'))]) {
      const [root, id] = key.split('/') as [string, string];
      known[root === 'record' ? 'run' : 'test'].add(id);
    }
    const gone = (all: ReadonlyMap<string, unknown>, ids: ReadonlySet<string>) =>
      [...all.keys()].filter((id) => !ids.has(id) && id !== used);
    return { found, runs: gone(found.runs, known.run), tests: gone(found.tests, known.test) };
  };
  return {
    prefix: 'leftover/',
    kind: 'leftover',
    list: async () => {
      const { found, runs: ofRuns, tests } = await owners();
      const written = await bases.leftovers().catch(refusal);
      const bytes = [
        ...ofRuns.map((id) => sumOf(found.runs.get(id)!)),
        ...tests.map((id) => sumOf(found.tests.get(id)!)),
        sumOf(found.unknown),
        written,
      ].reduce((sum, part) => sum + part, 0);
      const item = { ...only('leftover', 'leftover', bytes), deletable: (await inUse(runs)) === undefined };
      return bytes > 0 ? [item] : [];
    },
    delete: async () => {
      await runs.checkIdleEverywhere();
      const { found, runs: ofRuns, tests } = await owners();
      const keys = await Promise.all([
        ...ofRuns.map((id) => keysOwnedBy(store, 'run', id)),
        ...tests.map((id) => keysOwnedBy(store, 'test', id)),
      ]);
      await replaceEntries(store, [...keys.flat(), ...found.unknown.keys()], []);
      await bases.removeLeftovers().catch(refusal);
    },
  };
}

/** The second copy of runs and tests; it is deleted with them. */
export const copyCategory: StorageCategory = {
  prefix: 'copy/',
  kind: 'second copy',
  list: async () => {
    const item = only('copy', 'second copy', await mirroredBytes(NAME));
    return item.bytes > 0 ? [{ ...item, deletable: false }] : [];
  },
  delete: () =>
    Promise.reject(
      new UserError('The second copy goes with the runs and tests that it holds; delete those.'),
    ),
};

/** The only item of its kind, which the page names. */
const only = (prefix: string, kind: StorageItem['kind'], bytes: number): StorageItem => ({
  ...{ key: `${prefix}/all`, kind, name: '', bytes, parts: [], deletable: true },
});

/** The page itself, as the service worker keeps it to work without a network; it comes back with the next visit. */
export const appCategory: StorageCategory = {
  prefix: 'app/',
  kind: 'app files',
  list: async () => {
    const names = typeof caches === 'undefined' ? [] : await caches.keys();
    const items = await Promise.all(
      names.map(async (name) => {
        const responses = await (await caches.open(name)).matchAll();
        const sizes = await Promise.all(responses.map(async (response) => (await response.blob()).size));
        const bytes = sizes.reduce((sum, size) => sum + size, 0);
        return { key: `app/${name}`, kind: 'app files' as const, name, bytes, parts: [], deletable: true };
      }),
    );
    return items.filter(({ bytes }) => bytes > 0);
  },
  delete: async (name) => {
    await caches.delete(name).catch((error: unknown) => {
      const why = error instanceof Error ? error.name : String(error);
      throw new UserError(
        `The page itself: the browser does not delete it (${why}); clear the site data in its settings.`,
      );
    });
  },
};
