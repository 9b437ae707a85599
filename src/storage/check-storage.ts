import { del, keys, set, type UseStore } from 'idb-keyval';
import { openDatabase } from './database.ts';

/**
 * Looks whether the browser keeps what is given to it: `store` can be read, and a database of its own be written to.
 * `store` itself is left as it is, since each write to it is done twice. Throws UserError.
 */
export async function checkStorage(
  store: UseStore,
  trial: UseStore = openDatabase('retune-trial'),
): Promise<undefined> {
  await keys(store);
  await set('trial', Date.now(), trial);
  await del('trial', trial);
}
