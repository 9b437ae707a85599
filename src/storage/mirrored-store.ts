import { promisifyRequest, type UseStore } from 'idb-keyval';
import { DatabaseError, entriesUnder, openDatabase } from './database.ts';
import { lockFailure, siteLocks } from '../platform/site-locks.ts';
import { rollOverLog } from './log-rollover.ts';
import { bucketHome, type BucketMirror } from './bucket-mirror.ts';

/** The number of a copy's last transaction. */
const TRANSACTION = 'transaction';
const LOCK = 'retune-storage';

/**
 * A store whose every transaction is done twice: in the page's database, then in a second one. Chrome's IndexedDB goes
 * on writing behind a record that a killed browser left unfinished, and when it next opens the store it cannot read
 * what comes after, or takes the whole store for damaged and starts an empty one
 * (https://github.com/google/leveldb/issues/1287). So each copy gets a new log before the first transaction, one after
 * the other: a kill leaves unfinished only what is being written, and the other copy is whole. A first copy that has
 * fallen behind is put right before anything is read, a second one before the next transaction.
 *
 * Where there is no second home, or no room for it, the store does with the first alone.
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
    // A second copy that cannot be read is none.
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
      // One copy of everything is worth more than two of a part.
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
      // Deleting still works, and makes the room.
      if (!isQuota(error)) throw error;
    });
    try {
      const copy = await second();
      if (copy) {
        const transaction = await transactionOf(first);
        await rollOverLog(copy);
        // What was written before there were two copies has no number.
        if (transaction === 0 || (await transactionOf(copy)) !== transaction) await copyAll(first, copy);
      }
    } catch {
      await giveUp();
    }
    ready = true;
  };

  return async (mode, work) => {
    if (mode !== 'readwrite') return first(mode, work);
    // Opened before the lock is taken: opening needs it as well.
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

/** Does `work` while no other tab or worker writes. Throws UserError where the browser refuses locks. */
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

/** 0 for a copy that is empty, or that was written before there were two. */
const transactionOf = (store: UseStore): Promise<number> =>
  store('readonly', async (objects) => {
    const found = await promisifyRequest(objects.get(TRANSACTION) as IDBRequest<number | undefined>);
    return found ?? 0;
  });

/** Makes `to` what `from` is, in one transaction. */
async function copyAll(from: UseStore, to: UseStore): Promise<void> {
  const entries = await entriesUnder(from, '');
  await to('readwrite', (objects) => {
    objects.clear();
    for (const [key, value] of entries) objects.put(value, key);
    return promisifyRequest(objects.transaction);
  });
}
