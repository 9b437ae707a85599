import { promisifyRequest, type UseStore } from 'idb-keyval';
import { DatabaseError, entriesUnder, openDatabase } from './database.ts';
import { lockFailure, siteLocks } from '../platform/site-locks.ts';
import { rollOverLog } from './log-rollover.ts';
import { bucketHome, type BucketMirror } from './bucket-mirror.ts';

/** The number of a copy's last transaction. */
const TRANSACTION = 'transaction';
const LOCK = 'retune-storage';

/**
 * A store that performs every transaction twice: in the page's database, then in a second one. Chrome's IndexedDB
 * keeps appending after a record that a killed browser left incomplete; when it next opens the store, it cannot
 * read what follows, or takes the whole store for damaged and starts an empty one
 * (https://github.com/google/leveldb/issues/1287). So each copy gets a new log before the first transaction, one
 * after the other: a kill leaves incomplete only what is being written, and the other copy is intact. If the first
 * copy has fallen behind, it is repaired before anything is read; the second, before the next transaction.
 *
 * Without a place or space for the second copy, the store uses only the first.
 */
export function openMirroredStore(name = 'retune', home: BucketMirror = bucketHome(name)): UseStore {
  let opened: Promise<UseStore | undefined> | undefined;
  let writing = false;
  let ready = false;
  const second = () => (opened ??= home.open().catch(() => undefined));
  const giveUp = async (): Promise<void> => {
    opened = Promise.resolve(undefined);
    await home.remove().catch(() => undefined);
  };

  const putRight = async (store: UseStore): Promise<void> => {
    ready = false;
    const copy = await second();
    if (!copy) return;
    // A second copy that cannot be read does not count.
    const copied = await transactionOf(copy).catch(() => 0);
    if (copied > (await transactionOf(store))) await copyAll(copy, store).catch(() => undefined);
  };
  const first = openDatabase(name, {
    // A transaction that finds its connection closed holds the lock already.
    prepare: (store) => (writing ? putRight(store) : locked(() => putRight(store))),
  });

  const write = async <T>(work: (objects: IDBObjectStore) => PromiseLike<T> | T): Promise<T> => {
    if (!ready || (await isBehind())) await makeReady();
    const transaction = (await transactionOf(first)) + 1;
    const numbered: typeof work = (objects) => {
      objects.put(transaction, TRANSACTION);
      return work(objects);
    };
    const done = await first('readwrite', numbered).catch(async (error: unknown) => {
      if (!isQuota(error) || !(await second())) throw error;
      // One complete copy is better than two partial ones.
      await giveUp();
      return first('readwrite', numbered);
    });
    await (await second())?.('readwrite', numbered).catch(giveUp);
    return done;
  };
  /** Another tab or worker may have ended between its two transactions. */
  const isBehind = async (): Promise<boolean> => {
    const copy = await second();
    if (!copy) return false;
    return (await transactionOf(copy).catch(() => undefined)) !== (await transactionOf(first));
  };
  const makeReady = async (): Promise<void> => {
    await rollOverLog(first).catch((error: unknown) => {
      // Deleting still works, and frees space.
      if (!isQuota(error)) throw error;
    });
    try {
      const copy = await second();
      if (copy) {
        const transaction = await transactionOf(first);
        await rollOverLog(copy);
        // Data from before there were two copies has no number.
        if (transaction === 0 || (await transactionOf(copy)) !== transaction) await copyAll(first, copy);
      }
    } catch {
      await giveUp();
    }
    ready = true;
  };

  return async (mode, work) => {
    if (mode !== 'readwrite') return first(mode, work);
    // Opened before taking the lock, because opening needs it too.
    await transactionOf(first);
    return locked(async () => {
      writing = true;
      try {
        return await write(work);
      } finally {
        writing = false;
      }
    });
  };
}

/** Runs `work` while no other tab or worker writes. Throws UserError if the browser refuses locks. */
async function locked<T>(work: () => Promise<T>): Promise<T> {
  let granted = false;
  try {
    return await siteLocks().request(LOCK, () => {
      granted = true;
      return work();
    });
  } catch (error) {
    throw granted ? error : lockFailure(error);
  }
}

const isQuota = (error: unknown): boolean => error instanceof DatabaseError && error.full;

/** 0 for a copy that is empty, or from before there were two. */
const transactionOf = (store: UseStore): Promise<number> =>
  store('readonly', async (objects) => {
    const found = await promisifyRequest(objects.get(TRANSACTION) as IDBRequest<number | undefined>);
    return found ?? 0;
  });

/** Makes `to` equal to `from`, in one transaction. */
async function copyAll(from: UseStore, to: UseStore): Promise<void> {
  const entries = await entriesUnder(from, '');
  await to('readwrite', (objects) => {
    objects.clear();
    for (const [key, value] of entries) objects.put(value, key);
    return promisifyRequest(objects.transaction);
  });
}
