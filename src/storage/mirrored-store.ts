import { promisifyRequest, type UseStore } from 'idb-keyval';
import { withSiteLock } from '../platform/site-locks.ts';
import { bucketHome, type BucketMirror } from './bucket-mirror.ts';
import {
  abandon,
  answered,
  DatabaseError,
  entriesUnder,
  keysUnder,
  MINUTE,
  openDatabase,
} from './database.ts';
import { rollOverLog } from './log-rollover.ts';

/** The page's database. */
export const NAME = 'retune';
/** The number of a copy's last transaction. */
const TRANSACTION = 'transaction';
const LOCK = 'retune-storage';
/** How long the second copy may take before it is given up: to open, and to write what one transaction wrote. */
const PATIENCE = { opening: MINUTE / 2, writing: 2 * MINUTE } as const;
const GIVEN_UP =
  'The second copy of runs and tests gives no answer, so until the page is opened again only the first is written: everything is kept there, and the second is completed then.';

/**
 * A store that performs every transaction twice: in the page's database, then in a second one. Chrome's IndexedDB
 * keeps appending after a record that a killed browser left incomplete; when it next opens the store, it cannot
 * read what follows, or takes the whole store for damaged and starts an empty one
 * (https://github.com/google/leveldb/issues/1287). So each copy gets a new log before the first transaction, one
 * after the other: a kill leaves incomplete only what is being written, and the other copy is intact. If the first
 * copy has fallen behind, it is repaired before anything is read; the second, before the next transaction.
 *
 * Without a place or space for the second copy, the store uses only the first; so it does, until the page is opened
 * again, once the second copy gives no answer.
 */
export function openMirroredStore(name = NAME, home: BucketMirror = bucketHome(name)): MirroredUse {
  const store = new MirroredStore(name, home);
  const use: UseStore = (mode, work) => store.use(mode, work);
  return Object.assign(use, {
    emptyCopy: () => store.emptyCopy(),
    onGivenUp: (hear: (message: string) => void) => store.onGivenUp(hear),
  });
}

export type MirroredUse = UseStore & {
  /** Frees all that the second copy takes, once it holds nothing that is worth a copy. */
  emptyCopy(): Promise<void>;
  /** `hear` is told, once, that the second copy gives no answer: also if it was given up before. */
  onGivenUp(hear: (message: string) => void): void;
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
  /** The second copy gave no answer. */
  #isLate = false;
  #hear: ((message: string) => void) | undefined;

  constructor(name: string, home: BucketMirror) {
    this.#home = home;
    this.#first = openDatabase(name, {
      // A transaction that finds its connection closed holds the lock already.
      prepare: (store) =>
        this.#writing ? this.#putRight(store) : withSiteLock(LOCK, () => this.#putRight(store)),
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
    return withSiteLock(LOCK, async () => {
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
      await this.#remove();
    });
  }

  onGivenUp(hear: (message: string) => void): void {
    this.#hear = hear;
    if (this.#isLate) {
      hear(GIVEN_UP);
    }
  }

  /** The second copy; undefined where there is none, or it was given up. */
  async #second(): Promise<UseStore | undefined> {
    const opening = (this.#opened ??= answered(() => this.#home.open(), PATIENCE.opening).catch((error) =>
      this.#leave(error),
    ));
    const opened = await opening;
    return this.#isLate ? undefined : opened;
  }

  /** Removes a copy that is incomplete; one that gives no answer is completed when the page is opened again. */
  async #giveUp(error: unknown): Promise<void> {
    this.#opened = Promise.resolve(undefined);
    this.#leave(error);
    if (!this.#isLate) {
      await this.#remove();
    }
  }

  /** Uses the second copy no more if `error` says that it gave no answer. */
  #leave(error: unknown): undefined {
    if (this.#isLate || !isDatabaseError(error, 'late')) {
      return;
    }
    this.#isLate = true;
    this.#hear?.(GIVEN_UP);
  }

  async #remove(): Promise<void> {
    await answered(() => this.#home.remove(), PATIENCE.opening).catch(() => undefined);
  }

  /** The number of the second copy's last transaction; undefined if it cannot be read. */
  #copied(copy: UseStore): Promise<number | undefined> {
    return answered(() => transactionOf(copy), PATIENCE.opening).catch((error) => this.#leave(error));
  }

  /** Performs in the second copy what was done in the first. */
  async #writeTo<T>(copy: UseStore, work: Work<T>): Promise<void> {
    let transaction: IDBTransaction | undefined;
    const noted: Work<T> = (objects) => {
      ({ transaction } = objects);
      return work(objects);
    };
    await answered(
      () => copy('readwrite', noted),
      PATIENCE.writing,
      () => abandon(transaction),
    ).catch((error) => this.#giveUp(error));
  }

  /** Repairs a first copy that has fallen behind the second. */
  async #putRight(store: UseStore): Promise<void> {
    this.#ready = false;
    const copy = await this.#second();
    if (!copy) {
      return;
    }
    // A second copy that cannot be read does not count.
    const copied = (await this.#copied(copy)) ?? 0;
    if (copied > (await transactionOf(store))) {
      await copyAll(copy, store).catch((error) => this.#leave(error));
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
      if (!isDatabaseError(error, 'full') || !(await this.#second())) {
        throw error;
      }
      // One complete copy is better than two partial ones.
      await this.#giveUp(error);
      return this.#first('readwrite', numbered);
    });
    const copy = await this.#second();
    if (copy) {
      await this.#writeTo(copy, numbered);
    }
    return done;
  }

  /** Another tab or worker may have ended between its two transactions. */
  async #isBehind(): Promise<boolean> {
    const copy = await this.#second();
    if (!copy) {
      return false;
    }
    return (await this.#copied(copy)) !== (await transactionOf(this.#first));
  }

  async #makeReady(): Promise<void> {
    await rollOverLog(this.#first).catch((error: unknown) => {
      // Deleting still works, and frees space.
      if (!isDatabaseError(error, 'full')) {
        throw error;
      }
    });
    try {
      const copy = await this.#second();
      if (copy) {
        const transaction = await transactionOf(this.#first);
        await answered(() => rollOverLog(copy), PATIENCE.writing);
        // Data from before there were two copies has no number.
        const copied = await this.#copied(copy);
        if (!this.#isLate && (transaction === 0 || copied !== transaction)) {
          await copyAll(this.#first, copy);
        }
      }
    } catch (error) {
      await this.#giveUp(error);
    }
    this.#ready = true;
  }
}

const isDatabaseError = (error: unknown, why: DatabaseError['why']): boolean =>
  error instanceof DatabaseError && error.why === why;

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
