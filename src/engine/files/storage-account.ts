import { UserError } from '../../formats/user-error.ts';
import type { BaseCache } from '../../model/base/cache/base-cache.ts';
import { CacheRefusal } from '../../model/base/cache/storage.ts';
import { bucketBytes } from '../../storage/bucket-mirror.ts';
import type { KeptInputs } from '../../storage/kept-inputs.ts';
import { storageEstimate } from '../../storage/quota.ts';
import type { TestRecords } from '../../storage/test-records.ts';
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

/** What takes up the browser's storage, the largest first, and whether the browser may clear it by itself. */
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
  return { items, uncounted, used, left, persisted: persistent };
}

/** Throws UserError where the item is in use or there is none of that key. */
export async function deleteStored(categories: readonly StorageCategory[], key: string): Promise<undefined> {
  const category = categories.find(({ prefix }) => key.startsWith(prefix));
  if (!category) {
    throw new UserError('This is no longer in the browser.');
  }
  await category.delete(key.slice(category.prefix.length));
}

/** Runs by their parts: every checkpoint, the result, the logs, the copies of their inputs. */
export function runCategory(runs: Runs, inputs: KeptInputs): StorageCategory {
  return {
    prefix: 'run/',
    kind: 'run',
    list: async () => {
      const records = await runs.records.list();
      return Promise.all(
        records.map(async ({ id, name }) => {
          const parts = new Map<string, number>();
          for (const [key, value] of await runs.records.files(id)) {
            const [, , place, step] = key.split('/');
            if (Array.isArray(value)) {
              const size = new Blob([JSON.stringify(value)]).size;
              parts.set('corrections', (parts.get('corrections') ?? 0) + size);
            } else if (value instanceof Blob) {
              const part = place === 'checkpoint' ? `checkpoint ${step}` : place!;
              parts.set(part, (parts.get(part) ?? 0) + value.size);
            }
          }
          const copies = await inputs.bytes(id);
          if (copies > 0) {
            parts.set('copies of its inputs', copies);
          }
          const bytes = [...parts.values()].reduce((sum, size) => sum + size, 0);
          return {
            key: `run/${id}`,
            kind: 'run' as const,
            name,
            bytes,
            parts: [...parts].map(([part, size]) => ({ name: part, bytes: size })),
            deletable: runs.active?.id !== id,
          };
        }),
      );
    },
    delete: (id) => runs.delete(id),
  };
}

export function testCategory(tests: BatchTests, records: TestRecords, runs: Runs): StorageCategory {
  return {
    prefix: 'test/',
    kind: 'test',
    list: async () => {
      const all = await records.list();
      return Promise.all(
        all.map(async ({ id, name }) => ({
          key: `test/${id}`,
          kind: 'test' as const,
          name,
          bytes: await records.bytes(id),
          parts: [],
          deletable: runs.active?.id !== id,
        })),
      );
    },
    delete: (id) => tests.delete(id),
  };
}

/** Quantized bases that the next start loads instead of their folders. */
export function baseCategory(cache: BaseCache, runs: Runs): StorageCategory {
  return {
    prefix: 'base/',
    kind: 'base cache',
    list: async () => {
      const bases = await cache.list().catch(refusal);
      return bases.map(({ id, name, bytes }) => {
        const deletable = runs.active === undefined;
        return { key: `base/${id}`, kind: 'base cache' as const, name, bytes, parts: [], deletable };
      });
    },
    delete: async (id) => {
      // A run that is loading may be reading it.
      runs.checkIdle();
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

/** The second copy of runs and tests; it is deleted with them. */
export const copyCategory: StorageCategory = {
  prefix: 'copy/',
  kind: 'second copy',
  list: async () => {
    const bytes = await bucketBytes();
    const item = {
      key: 'copy/all',
      kind: 'second copy',
      name: 'A second copy',
      bytes,
      parts: [],
      deletable: false,
    } as const;
    return bytes > 0 ? [item] : [];
  },
  delete: () =>
    Promise.reject(
      new UserError('The second copy goes with the runs and tests that it holds; delete those.'),
    ),
};

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
