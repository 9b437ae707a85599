import { promisifyRequest, type UseStore } from 'idb-keyval';
import { lockFailure, siteLocks } from '../platform/site-locks.ts';
import { bucketHome, type BucketMirror } from './bucket-mirror.ts';
import { DatabaseError, entriesUnder, keysUnder, openDatabase } from './database.ts';
import { rollOverLog } from './log-rollover.ts';

/** The page's database. */
export const NAME = 'retune';
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
export function openMirroredStore(name = NAME, home: BucketMirror = bucketHome(name)): MirroredUse {
  const store = new MirroredStore(name, home);
  const use: UseStore = (mode, work) => store.use(mode, work);
  return Object.assign(use, { emptyCopy: () => store.emptyCopy() });
}

export type MirroredUse = UseStore & {
  /** Frees all that the second copy takes, once it holds nothing that is worth a copy. */
  emptyCopy(): Promise<void>;
};

/** What a copy is kept for: the records of runs and tests. */
const WORTH = ['record/', 'test-record/'] as const;

type Work<T> = (objects: IDBObjectStore) => PromiseLike<T> | T;

class MirroredStore {
  readonly #home: BucketMirror;
  readonly #first: UseStore;
  #opened: Promise<UseStore | undefined> | undefined;
  /** A transaction of ours is under way, and holds the lock. */
  #writing = false;
  /** Both copies have a new log and hold the same. */
  #ready = false;

  constructor(name: string, home: BucketMirror) {
    this.#home = home;
    this.#first = openDatabase(name, {
      // A transaction that finds its connection closed holds the lock already.
      prepare: (store) => (this.#writing ? this.#putRight(store) : locked(() => this.#putRight(store))),
    });
  }

  async use<T>(mode: IDBTransactionMode, work: Work<T>): Promise<T> {
    if (mode !== 'readwrite') {
      return this.#first(mode, work);
    }
    // Opened before the lock is taken: opening needs it as well.
    await transactionOf(this.#first);
    return this.#alone(() => this.#write(work));
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    return locked(async () => {
      this.#writing = true;
      try {
        return await work();
      } finally {
        this.#writing = false;
      }
    });
  }

  /** The next transaction makes another. */
  async emptyCopy(): Promise<void> {
    await transactionOf(this.#first);
    return this.#alone(async () => {
      const kept = await Promise.all(WORTH.map((prefix) => keysUnder(this.#first, prefix)));
      if (kept.flat().length > 0) {
        return;
      }
      this.#opened = undefined;
      this.#ready = false;
      await this.#home.remove().catch(() => undefined);
    });
  }

  /** The second copy; undefined where there is none. */
  #second(): Promise<UseStore | undefined> {
    return (this.#opened ??= this.#home.open().catch(() => undefined));
  }

  async #giveUp(): Promise<void> {
    this.#opened = Promise.resolve(undefined);
    await this.#home.remove().catch(() => undefined);
  }

  /** Repairs a first copy that has fallen behind the second. */
  async #putRight(store: UseStore): Promise<void> {
    this.#ready = false;
    const copy = await this.#second();
    if (!copy) {
      return;
    }
    // A second copy that cannot be read does not count.
    const copied = await transactionOf(copy).catch(() => 0);
    if (copied > (await transactionOf(store))) {
      await copyAll(copy, store).catch(() => undefined);
    }
  }

  async #write<T>(work: Work<T>): Promise<T> {
    if (!this.#ready || (await this.#isBehind())) {
      await this.#makeReady();
    }
    const transaction = (await transactionOf(this.#first)) + 1;
    const numbered: Work<T> = (objects) => {
      objects.put(transaction, TRANSACTION);
      return work(objects);
    };
    const done = await this.#first('readwrite', numbered).catch(async (error: unknown) => {
      if (!isQuota(error) || !(await this.#second())) {
        throw error;
      }
      // One complete copy is better than two partial ones.
      await this.#giveUp();
      return this.#first('readwrite', numbered);
    });
    await (await this.#second())?.('readwrite', numbered).catch(() => this.#giveUp());
    return done;
  }

  /** Another tab or worker may have ended between its two transactions. */
  async #isBehind(): Promise<boolean> {
    const copy = await this.#second();
    if (!copy) {
      return false;
    }
    return (await transactionOf(copy).catch(() => undefined)) !== (await transactionOf(this.#first));
  }

  async #makeReady(): Promise<void> {
    await rollOverLog(this.#first).catch((error: unknown) => {
      // Deleting still works, and frees space.
      if (!isQuota(error)) {
        throw error;
      }
    });
    try {
      const copy = await this.#second();
      if (copy) {
        const transaction = await transactionOf(this.#first);
        await rollOverLog(copy);
        // Data from before there were two copies has no number.
        if (transaction === 0 || (await transactionOf(copy)) !== transaction) {
          await copyAll(this.#first, copy);
        }
      }
    } catch {
      await this.#giveUp();
    }
    this.#ready = true;
  }
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
    for (const [key, value] of entries) {
      objects.put(value, key);
    }
    return promisifyRequest(objects.transaction);
  });
}
