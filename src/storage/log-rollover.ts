// Reference: https://github.com/google/leveldb/issues/1287 (a reused log may end in an incomplete record).
import { promisifyRequest, type UseStore } from 'idb-keyval';

const FILLING = 'filling/';
/** Of two bytes each. */
const KEY_CHARACTERS = 4096;
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
  // A record's key is in the log twice. Values would be compressed before they come there, and random ones stay in the
  // tables, at 20 MB a copy, while keys of one letter are compressed there to next to nothing.
  const keys = Array.from({ length: Math.ceil((1.25 * TABLE_BYTES) / (2 * 2 * KEY_CHARACTERS)) }, (_, i) =>
    `${FILLING}${i}/`.padEnd(KEY_CHARACTERS, 'x'),
  );
  const all = (work: (objects: IDBObjectStore, key: string) => void) =>
    store('readwrite', (objects) => {
      for (const key of keys) {
        work(objects, key);
      }
      return promisifyRequest(objects.transaction);
    });
  try {
    await all((objects, key) => objects.put(0, key));
  } finally {
    // Writes as much again.
    await all((objects, key) => objects.delete(key));
  }
}
