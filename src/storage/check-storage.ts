import { del, keys, set, type UseStore } from 'idb-keyval';
import { openDatabase } from './database.ts';

/**
 * Checks that the browser stores what it is given: `store` can be read, and a separate database can be written.
 * `store` itself is not written, because each write to it is done twice. Throws UserError.
 */
export async function checkStorage(
  store: UseStore,
  trial: UseStore = openDatabase('retune-trial'),
): Promise<undefined> {
  await keys(store);
  await set('trial', Date.now(), trial);
  await del('trial', trial);
}
