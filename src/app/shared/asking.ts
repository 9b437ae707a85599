import type { Answer } from '../../engine/protocol/protocol.ts';
import type { UserError } from '../../formats/user-error.ts';

/** Questions to the engine under keys of their own: the latest of a key takes the place of the one before. */
export class Asking<Key> {
  readonly #open = new Map<Key, AbortController>();

  /** Resolves to undefined where another question has taken its place. */
  async ask<T>(
    key: Key,
    question: (signal: AbortSignal) => Promise<Answer<T>>,
  ): Promise<Answer<T> | undefined> {
    this.drop(key);
    const own = new AbortController();
    this.#open.set(key, own);
    const isLatest = () => this.#open.get(key) === own;
    try {
      const answer = await question(own.signal);
      return isLatest() ? answer : undefined;
    } catch (error) {
      if (isLatest()) {
        throw error;
      }
      return undefined;
    } finally {
      if (isLatest()) {
        this.#open.delete(key);
      }
    }
  }

  /** Ends a question with `reason` as its answer. */
  cancel(key: Key, reason: UserError): void {
    this.#open.get(key)?.abort(reason);
  }

  /** Ends a question whose answer nobody wants any more. */
  drop(key: Key): void {
    const open = this.#open.get(key);
    this.#open.delete(key);
    open?.abort();
  }
}
