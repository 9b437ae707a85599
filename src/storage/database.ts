import { promisifyRequest, type UseStore } from 'idb-keyval';
import { UserError } from '../formats/user-error.ts';
import { NOTHING_KEPT } from '../platform/site-locks.ts';

const OBJECTS = 'files';
export const MINUTE = 60_000;
/** Maximum wait for an answer: writes can be large, and disks slow. */
const PATIENCE = { readonly: MINUTE, readwrite: 10 * MINUTE, versionchange: MINUTE } as const;

/** The browser's database refused an operation, or does not answer. */
export class DatabaseError extends UserError {
  /** Without the remedy, as the end of a sentence. */
  readonly happened: string;
  readonly remedy: string;
  /** Whether the browser's storage is full, or has given no answer in time. */
  readonly why: 'full' | 'late' | undefined;

  constructor(happened: string, remedy: string, why?: 'full' | 'late') {
    super(`${happened[0]!.toUpperCase()}${happened.slice(1)}; ${remedy}.`);
    this.happened = happened;
    this.remedy = remedy;
    this.why = why;
  }
}

/** Errors that only a wrong call can cause. */
const BUGS = new Set(['DataCloneError', 'TransactionInactiveError', 'ReadOnlyError', 'ConstraintError']);

/** Chrome's message when site data is blocked; its error name has many other causes too. */
const DENIED = /denied permission/;

/** The browser stores nothing for this address; `why` is the browser's own message. */
const siteDataRefused = (why: string): DatabaseError =>
  new DatabaseError(NOTHING_KEPT.happened(why), NOTHING_KEPT.remedy);

/** A DatabaseError for the database's error; anything else unchanged. An aborted transaction may give no reason. */
function asDatabaseError(error: unknown): unknown {
  if (error === null || error === undefined) {
    return new DatabaseError(
      "the browser's database broke off a transaction",
      'reload the page and try again',
    );
  }
  if (!(error instanceof DOMException) || BUGS.has(error.name)) {
    return error;
  }
  if (error.name === 'SecurityError' || DENIED.test(error.message)) {
    return siteDataRefused(error.name);
  }
  if (error.name === 'QuotaExceededError') {
    return new DatabaseError(
      'the browser has no room left for what was to be kept',
      'delete earlier runs or free some disk space',
      'full',
    );
  }
  return new DatabaseError(
    `the browser's database failed (${error.name})`,
    'reload the page and try again, or restart the browser',
  );
}

/** The answer. Throws DatabaseError if it does not arrive within `patience` milliseconds, after calling `giveUp`. */
export async function answered<T>(
  ask: () => PromiseLike<T> | T,
  patience: number,
  giveUp: () => void = () => undefined,
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      giveUp();
      const minutes = patience / MINUTE;
      reject(
        new DatabaseError(
          `the browser's database has given no answer for ${minutes === 1 ? 'a minute' : `${minutes} minutes`}`,
          'close other tabs of this page, or restart the browser',
          'late',
        ),
      );
    }, patience);
  });
  try {
    return await Promise.race([ask(), late]);
  } catch (error) {
    throw asDatabaseError(error);
  } finally {
    clearTimeout(timer);
  }
}

interface DatabaseOptions {
  /** The page's own, unless another is given; a function is asked whenever a connection is opened. */
  factory?: IDBFactory | (() => Promise<IDBFactory>);
  /** The name of its only object store. */
  objects?: string;
  /** Run on a newly opened connection before anything else uses it. */
  prepare?: (store: UseStore) => Promise<void>;
}

/**
 * A store for idb-keyval whose transactions are on disk when they complete: a checkpoint that was reported as saved
 * survives a browser crash and a power cut.
 */
export function openDatabase(
  name: string,
  { factory, objects: place = OBJECTS, prepare }: DatabaseOptions = {},
): UseStore {
  let opened: Promise<IDBDatabase> | undefined;
  const open = async (): Promise<IDBDatabase> => {
    const db = await answered(
      async () =>
        connect(typeof factory === 'function' ? await factory() : (factory ?? ownFactory()), name, place),
      PATIENCE.versionchange,
    );
    // The browser may close a connection, for example when site data is cleared: the next use opens a new one.
    db.onclose = () => (opened = undefined);
    db.onversionchange = () => {
      db.close();
      opened = undefined;
    };
    await prepare?.(async (mode, work) => transact(toldObjectsOf(db, place, mode), work));
    return db;
  };
  const connection = async (): Promise<IDBDatabase> => {
    const opening = (opened ??= open());
    return opening.catch((error: unknown) => {
      if (opened === opening) {
        opened = undefined;
      }
      throw error;
    });
  };
  return async (mode, work) => {
    const db = await connection();
    let objects: IDBObjectStore;
    try {
      objects = objectsOf(db, place, mode);
    } catch {
      // Some connections turn out to be closed only when used.
      opened = undefined;
      objects = toldObjectsOf(await connection(), place, mode);
    }
    return transact(objects, work);
  };
}

/** The page's own databases. Looked up on use, because a browser may refuse even that. */
function ownFactory(): IDBFactory {
  const { indexedDB: factory } = globalThis as { indexedDB?: IDBFactory };
  if (!factory) {
    throw siteDataRefused('there is no IndexedDB');
  }
  return factory;
}

async function connect(factory: IDBFactory, name: string, place: string): Promise<IDBDatabase> {
  const request = factory.open(name, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(place);
  const blocked = new Promise<never>((_, reject) => {
    request.onblocked = () => {
      // Should it open after all, it does no harm.
      request.onsuccess = () => request.result.close();
      reject(
        new DatabaseError(
          "another tab of this page holds the browser's database",
          'close that tab and reload this one',
        ),
      );
    };
  });
  return Promise.race([promisifyRequest(request), blocked]);
}

const objectsOf = (db: IDBDatabase, place: string, mode: IDBTransactionMode): IDBObjectStore =>
  db.transaction(place, mode, { durability: 'strict' }).objectStore(place);

/** The same. Throws DatabaseError if the connection was closed. */
function toldObjectsOf(...asked: Parameters<typeof objectsOf>): IDBObjectStore {
  try {
    return objectsOf(...asked);
  } catch (error) {
    throw asDatabaseError(error);
  }
}

/** Runs `work` in the transaction of `objects`. Throws DatabaseError. */
async function transact<T>(
  objects: IDBObjectStore,
  work: (objects: IDBObjectStore) => PromiseLike<T> | T,
): Promise<T> {
  const { transaction } = objects;
  return answered(
    () => work(objects),
    PATIENCE[transaction.mode],
    () => abandon(transaction),
  );
}

/** Sees to it that what is waited for no longer does not take effect later. */
export function abandon(transaction: IDBTransaction | undefined): void {
  try {
    transaction?.abort();
  } catch {
    // It has ended already.
  }
}

/** All keys with this prefix. */
export function under(prefix: string): IDBKeyRange {
  return IDBKeyRange.bound(prefix, `${prefix}\uffff`);
}

/** The keys with this prefix, in order. */
export function keysUnder(store: UseStore, prefix: string): Promise<string[]> {
  return store('readonly', (s) => promisifyRequest(s.getAllKeys(under(prefix)))) as Promise<string[]>;
}

/** The values whose keys have this prefix, in key order. */
export function valuesUnder<T>(store: UseStore, prefix: string): Promise<T[]> {
  return store('readonly', (s) => promisifyRequest(s.getAll(under(prefix)) as IDBRequest<T[]>));
}

/** Keys with this prefix and their values, in key order. */
export function entriesUnder<T>(store: UseStore, prefix: string): Promise<[key: string, value: T][]> {
  return store('readonly', async (s) => {
    const [keys, values] = await Promise.all([
      promisifyRequest(s.getAllKeys(under(prefix)) as IDBRequest<string[]>),
      promisifyRequest(s.getAll(under(prefix)) as IDBRequest<T[]>),
    ]);
    return keys.map((key, i) => [key, values[i]!]);
  });
}

/** In one transaction: deletes the keys and everything in the ranges, and writes the entries. */
export function replaceEntries(
  store: UseStore,
  gone: readonly (string | IDBKeyRange)[],
  entries: readonly (readonly [key: string, value: unknown])[],
): Promise<void> {
  return store('readwrite', (s) => {
    for (const key of gone) {
      s.delete(key);
    }
    for (const [key, value] of entries) {
      s.put(value, key);
    }
    return promisifyRequest(s.transaction);
  });
}
