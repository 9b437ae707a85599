// Reference: https://github.com/google/leveldb/issues/1287 (a reused log may end in an incomplete record).
import { promisifyRequest, type UseStore } from 'idb-keyval';

const FILLING = 'filling/';
/** A larger value would bypass the log: Chrome stores it in a separate file. */
const VALUE_BYTES = 48 * 1024;
/** What Chrome's LevelDB collects in memory, and in one log, before it writes a table. */
const TABLE_BYTES = 4 * 2 ** 20;

/**
 * Makes the browser start a new log for the store, so that nothing is written after a killed browser's incomplete
 * record.
 *
 * LevelDB writes a table and starts a new log as soon as the previous one's memory is full; if it fills a second
 * time, LevelDB waits until the first table is written and its log is removed. In other browsers this is a little
 * useless work.
 */
export async function rollOverLog(store: UseStore): Promise<void> {
  // Random, because Chrome compresses.
  const value = crypto.getRandomValues(new Uint8Array(VALUE_BYTES));
  const keys = Array.from({ length: Math.ceil((1.25 * TABLE_BYTES) / VALUE_BYTES) }, (_, i) => FILLING + i);
  try {
    for (let filled = 0; filled < 2; filled++) {
      await store('readwrite', (objects) => {
        for (const key of keys) {
          objects.put(value, key);
        }
        return promisifyRequest(objects.transaction);
      });
    }
  } finally {
    await store('readwrite', (objects) => {
      for (const key of keys) {
        objects.delete(key);
      }
      return promisifyRequest(objects.transaction);
    });
  }
}
