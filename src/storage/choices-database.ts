import { del, get, type UseStore } from 'idb-keyval';
import { openDatabase } from './database.ts';
import { bytesOfValue } from './stored-bytes.ts';

/** Under this key the choices of the first screen are kept. */
export const CHOICES = 'choices';

/** Where the page keeps the choices of its first screen until a run starts with them. */
export const openChoicesDatabase = (): UseStore => openDatabase('retune-choices', { objects: 'kept' });

/** Bytes of what is kept of them: of rows that were chosen without a handle, a copy. */
export async function choicesBytes(store: UseStore): Promise<number> {
  const kept = await get<unknown>(CHOICES, store);
  return kept === undefined ? 0 : bytesOfValue(kept);
}

export const deleteChoices = (store: UseStore): Promise<void> => del(CHOICES, store);
