import { get, type UseStore } from 'idb-keyval';
import { UserError } from '../formats/user-error.ts';
import { withSiteLock } from '../platform/site-locks.ts';
import { type ChatVersion, parseConversation, type StoredConversation } from './conversation.ts';
import { keysUnder, replaceEntries } from './database.ts';
import { asOwnConversation, mergeConversation } from './merge-conversation.ts';
import { withinQuota } from './quota.ts';
import { runKeys } from './run-keys.ts';

export type { ChatVersion, StoredConversation };

/** Bytes of a conversation in JSON. */
export const MAX_CONVERSATION = 2 ** 22;
const REMEDY = 'delete this conversation';
const LOCK = 'retune-conversations';

/** The conversations with a run's versions, each a JSON file among the run's own. */
export class Conversations {
  readonly #store: UseStore;

  constructor(store: UseStore) {
    this.#store = store;
  }

  /** Newest first. Throws UserError where one cannot be read. */
  async list(run: string): Promise<StoredConversation[]> {
    const keys = await keysUnder(this.#store, runKeys(run).chats);
    const found = await Promise.all(keys.map((key) => this.#read(key)));
    return found.filter((one) => one !== undefined).toSorted((a, b) => b.created - a.created);
  }

  /**
   * Makes of a conversation what `after` makes of `before`: what another tab has added meanwhile stays. If both have
   * gone on with it, `after` becomes a conversation of its own. Resolves to what is on disk then. Throws UserError
   * where it is too long, or the browser's storage is full.
   */
  put(
    run: string,
    after: StoredConversation,
    before: StoredConversation | undefined,
  ): Promise<StoredConversation> {
    return withSiteLock(LOCK, async () => {
      const keys = runKeys(run);
      const now = await this.#read(keys.chat(after.id));
      const kept = mergeConversation(now, before, after) ?? asOwnConversation(after);
      const file = new Blob([JSON.stringify(kept)]);
      if (file.size > MAX_CONVERSATION) {
        throw new UserError('This conversation is too long to be kept; begin a new one.');
      }
      await withinQuota('The conversation', file.size, () =>
        replaceEntries(this.#store, [], [[keys.chat(kept.id), file]]),
      );
      return kept;
    });
  }

  async delete(run: string, id: string): Promise<void> {
    await replaceEntries(this.#store, [runKeys(run).chat(id)], []);
  }

  async #read(key: string): Promise<StoredConversation | undefined> {
    const blob = await get<Blob>(key, this.#store);
    return blob && parseConversation(JSON.parse(await blob.text()), key, REMEDY);
  }
}
