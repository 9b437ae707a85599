import { UserError } from '../formats/user-error.ts';

/**
 * An answer, or the one message that says what is wrong and what to do. Anything else that goes wrong is a bug and
 * rejects.
 */
export type Answer<T> = { ok: true; value: T } | { ok: false; sentence: string };

/** What the user can fix becomes a message; anything else is a bug and rejects. */
export async function answer<T>(work: () => Promise<T>): Promise<Answer<T>> {
  try {
    return { ok: true, value: await work() };
  } catch (error) {
    if (error instanceof UserError) {
      return { ok: false, sentence: error.message };
    }
    throw error;
  }
}
