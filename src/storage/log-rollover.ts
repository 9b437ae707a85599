import { promisifyRequest, type UseStore } from 'idb-keyval';

const FILLING = 'filling/';
/** A larger value would not go through the log: Chrome keeps it in a file of its own. */
const VALUE_BYTES = 48 * 1024;
/** What Chrome's LevelDB collects in memory, and in one log, before it writes a table. */
const TABLE_BYTES = 4 * 2 ** 20;

/**
 * Makes the browser begin a new log for the store, behind which no unfinished record of a killed browser can be.
 *
 * LevelDB writes a table and begins a log as soon as the memory of the last one is full; while it is full a second
 * time it waits until the first table is written and the log behind it is gone. Elsewhere this is a little work for
 * nothing.
 */
export async function rollOverLog(store: UseStore): Promise<void> {
  // At random, since Chrome compresses.
  const value = crypto.getRandomValues(new Uint8Array(VALUE_BYTES));
  const keys = Array.from({ length: Math.ceil((1.25 * TABLE_BYTES) / VALUE_BYTES) }, (_, i) => FILLING + i);
  try {
    for (let filled = 0; filled < 2; filled++)
      await store('readwrite', (objects) => {
        for (const key of keys) objects.put(value, key);
        return promisifyRequest(objects.transaction);
      });
  } finally {
    await store('readwrite', (objects) => {
      for (const key of keys) objects.delete(key);
      return promisifyRequest(objects.transaction);
    });
  }
}
