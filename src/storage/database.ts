import { promisifyRequest, type UseStore } from 'idb-keyval';

const OBJECTS = 'files';

export interface DatabaseOptions {
  /** Of the page, unless another is given. */
  factory?: IDBFactory;
  /** Done on a connection just opened, before anything else uses it. */
  prepare?: (store: UseStore) => Promise<void>;
}

/**
 * A store for idb-keyval whose transactions are on disk when they complete: a checkpoint that was reported as saved
 * outlives a crash of the browser and a power cut.
 */
export function openDatabase(name: string, { factory = indexedDB, prepare }: DatabaseOptions = {}): UseStore {
  let opened: Promise<IDBDatabase> | undefined;
  const open = async (): Promise<IDBDatabase> => {
    const request = factory.open(name, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(OBJECTS);
    const db = await promisifyRequest(request);
    // The browser may close a connection, when site data is cleared for one: the next use opens it anew.
    db.onclose = () => (opened = undefined);
    db.onversionchange = () => {
      db.close();
      opened = undefined;
    };
    await prepare?.(async (mode, work) => work(objectsOf(db, mode)));
    return db;
  };
  return async (mode, work) => {
    opened ??= open();
    const db = await opened.catch((error: unknown) => {
      opened = undefined;
      throw error;
    });
    return work(objectsOf(db, mode));
  };
}

const objectsOf = (db: IDBDatabase, mode: IDBTransactionMode): IDBObjectStore =>
  db.transaction(OBJECTS, mode, { durability: 'strict' }).objectStore(OBJECTS);

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
