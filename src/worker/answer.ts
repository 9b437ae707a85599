import { UserError } from '../formats/user-error.ts';
import type { Answer } from './protocol.ts';

/** What the user can mend becomes a sentence; anything else is a bug and rejects. */
export async function answer<T>(work: () => Promise<T>): Promise<Answer<T>> {
  try {
    return { ok: true, value: await work() };
  } catch (error) {
    if (error instanceof UserError) return { ok: false, sentence: error.message };
    throw error;
  }
}
