import { promisifyRequest, type UseStore } from 'idb-keyval';
import { UserError } from '../formats/user-error.ts';
import { NOTHING_KEPT } from '../platform/site-locks.ts';

const OBJECTS = 'files';
const MINUTE = 60_000;
/** How long an answer may take: much is written at once, and to slow disks. */
const PATIENCE = { readonly: MINUTE, readwrite: 10 * MINUTE, versionchange: MINUTE } as const;

/** The browser's database refused something, or gives no answer. */
export class DatabaseError extends UserError {
  /** Without the remedy, as the end of a sentence. */
  readonly happened: string;
  readonly remedy: string;
  /** There is no room. */
  readonly full: boolean;

  constructor(happened: string, remedy: string, full = false) {
    super(`${happened[0]!.toUpperCase()}${happened.slice(1)}; ${remedy}.`);
    this.happened = happened;
    this.remedy = remedy;
    this.full = full;
  }
}

/** What only a wrong call can lead to. */
const BUGS = new Set(['DataCloneError', 'TransactionInactiveError', 'ReadOnlyError', 'ConstraintError']);

/** Chrome's words where site data is blocked, under a name that stands for much else. */
const DENIED = /denied permission/;

/** The browser keeps nothing for this address; `why` is its own word for that. */
const siteDataRefused = (why: string): DatabaseError =>
  new DatabaseError(NOTHING_KEPT.happened(why), NOTHING_KEPT.remedy);

/** What the database answered as a DatabaseError; anything else as it is. An aborted transaction may give no reason. */
function told(error: unknown): unknown {
  if (error === null || error === undefined)
    return new DatabaseError(
      "the browser's database broke off a transaction",
      'reload the page and try again',
    );
  if (!(error instanceof DOMException) || BUGS.has(error.name)) return error;
  if (error.name === 'SecurityError' || DENIED.test(error.message)) return siteDataRefused(error.name);
  if (error.name === 'QuotaExceededError')
    return new DatabaseError(
      'the browser has no room left for what was to be kept',
      'delete earlier runs or free some disk space',
      true,
    );
  return new DatabaseError(
    `the browser's database failed (${error.name})`,
    'reload the page and try again, or restart the browser',
  );
}

/** The answer, or a DatabaseError where it does not come in time; then `giveUp` is called. */
async function answered<T>(
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
        ),
      );
    }, patience);
  });
  try {
    return await Promise.race([ask(), late]);
  } catch (error) {
    throw told(error);
  } finally {
    clearTimeout(timer);
  }
}

export interface DatabaseOptions {
  /** Of the page, unless another is given. */
  factory?: IDBFactory;
  /** The name of its one object store. */
  objects?: string;
  /** Done on a connection just opened, before anything else uses it. */
  prepare?: (store: UseStore) => Promise<void>;
}

/**
 * A store for idb-keyval whose transactions are on disk when they complete: a checkpoint that was reported as saved
 * outlives a crash of the browser and a power cut.
 */
export function openDatabase(
  name: string,
  { factory, objects: place = OBJECTS, prepare }: DatabaseOptions = {},
): UseStore {
  let opened: Promise<IDBDatabase> | undefined;
  const open = async (): Promise<IDBDatabase> => {
    const db = await answered(() => connect(factory ?? ownFactory(), name, place), PATIENCE.versionchange);
    // The browser may close a connection, when site data is cleared for one: the next use opens it anew.
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
      if (opened === opening) opened = undefined;
      throw error;
    });
  };
  return async (mode, work) => {
    const db = await connection();
    let objects: IDBObjectStore;
    try {
      objects = objectsOf(db, place, mode);
    } catch {
      // Some learn only from its use that a connection was closed.
      opened = undefined;
      objects = toldObjectsOf(await connection(), place, mode);
    }
    return transact(objects, work);
  };
}

/** The page's own databases. Asked for where they are used, since a browser may refuse even that. */
function ownFactory(): IDBFactory {
  const { indexedDB: factory } = globalThis as { indexedDB?: IDBFactory };
  if (!factory) throw siteDataRefused('there is no IndexedDB');
  return factory;
}

async function connect(factory: IDBFactory, name: string, place: string): Promise<IDBDatabase> {
  const request = factory.open(name, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(place);
  const blocked = new Promise<never>((_, reject) => {
    request.onblocked = () => {
      // Should it open after all, it is in nobody's way.
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

/** The same; throws DatabaseError where the connection was closed. */
function toldObjectsOf(...asked: Parameters<typeof objectsOf>): IDBObjectStore {
  try {
    return objectsOf(...asked);
  } catch (error) {
    throw told(error);
  }
}

/** Does `work` in the transaction of `objects`. Throws DatabaseError. */
async function transact<T>(
  objects: IDBObjectStore,
  work: (objects: IDBObjectStore) => PromiseLike<T> | T,
): Promise<T> {
  const { transaction } = objects;
  return answered(
    () => work(objects),
    PATIENCE[transaction.mode],
    () => {
      try {
        // What was given up may not come about after all.
        transaction.abort();
      } catch {
        // It has ended by itself.
      }
    },
  );
}

/** All keys that begin with `prefix`. */
export function under(prefix: string): IDBKeyRange {
  return IDBKeyRange.bound(prefix, `${prefix}\uffff`);
}

/** The keys that begin with `prefix`, in order. */
export function keysUnder(store: UseStore, prefix: string): Promise<string[]> {
  return store('readonly', (s) => promisifyRequest(s.getAllKeys(under(prefix)))) as Promise<string[]>;
}

/** The values whose keys begin with `prefix`, in the order of the keys. */
export function valuesUnder<T>(store: UseStore, prefix: string): Promise<T[]> {
  return store('readonly', (s) => promisifyRequest(s.getAll(under(prefix)) as IDBRequest<T[]>));
}

/** Keys that begin with `prefix` and their values, in the order of the keys. */
export function entriesUnder<T>(store: UseStore, prefix: string): Promise<[key: string, value: T][]> {
  return store('readonly', async (s) => {
    const [keys, values] = await Promise.all([
      promisifyRequest(s.getAllKeys(under(prefix)) as IDBRequest<string[]>),
      promisifyRequest(s.getAll(under(prefix)) as IDBRequest<T[]>),
    ]);
    return keys.map((key, i) => [key, values[i]!]);
  });
}

/** In one transaction: the keys and everything under the ranges go, the entries come. */
export function replace(
  store: UseStore,
  gone: readonly (string | IDBKeyRange)[],
  entries: readonly (readonly [key: string, value: unknown])[],
): Promise<void> {
  return store('readwrite', (s) => {
    for (const key of gone) s.delete(key);
    for (const [key, value] of entries) s.put(value, key);
    return promisifyRequest(s.transaction);
  });
}
