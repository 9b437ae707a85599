import { get, type UseStore } from 'idb-keyval';
import { UserError } from '../formats/user-error.ts';
import { type ChatVersion, parseConversation, type StoredConversation } from './conversation.ts';
import { keysUnder, replaceEntries } from './database.ts';
import { withinQuota } from './quota.ts';
import { runKeys } from './run-keys.ts';

export type { ChatVersion, StoredConversation };

/** Bytes of a conversation in JSON. */
export const MAX_CONVERSATION = 2 ** 22;
const REMEDY = 'delete this conversation';

/** The conversations with a run's versions, each a JSON file among the run's own. */
export class Conversations {
  readonly #store: UseStore;

  constructor(store: UseStore) {
    this.#store = store;
  }

  /** Newest first. Throws UserError where one cannot be read. */
  async list(run: string): Promise<StoredConversation[]> {
    const keys = await keysUnder(this.#store, runKeys(run).chats);
    const found = await Promise.all(
      keys.map(async (key) => {
        const blob = await get<Blob>(key, this.#store);
        return blob && parseConversation(JSON.parse(await blob.text()), key, REMEDY);
      }),
    );
    return found.filter((one) => one !== undefined).toSorted((a, b) => b.created - a.created);
  }

  /** It is on disk when this resolves. Throws UserError where it is too long, or the browser's storage is full. */
  async put(run: string, conversation: StoredConversation): Promise<void> {
    const file = new Blob([JSON.stringify(conversation)]);
    if (file.size > MAX_CONVERSATION) {
      throw new UserError('This conversation is too long to be kept; begin a new one.');
    }
    const key = runKeys(run).chat(conversation.id);
    await withinQuota('The conversation', file.size, () => replaceEntries(this.#store, [], [[key, file]]));
  }

  async delete(run: string, id: string): Promise<void> {
    await replaceEntries(this.#store, [runKeys(run).chat(id)], []);
  }
}
