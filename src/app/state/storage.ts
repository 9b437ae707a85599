import type { EngineApi } from '../../worker/protocol.ts';
import type { StorageAccount } from '../../worker/test-protocol.ts';
import { Store } from './store.ts';

export interface StorageState {
  account?: StorageAccount | undefined;
  /** Key of what is being deleted. */
  deleting?: string | undefined;
  refusal?: string | undefined;
}

/** What the browser keeps for this page, and how much of it there is. */
export class StorageUse {
  readonly store = new Store<StorageState>({});
  readonly #engine: EngineApi;

  constructor(engine: EngineApi) {
    this.#engine = engine;
  }

  async refresh(): Promise<void> {
    this.store.update({ account: await this.#engine.storage() });
  }

  async delete(key: string): Promise<void> {
    this.store.update({ deleting: key, refusal: undefined });
    const answer = await this.#engine.deleteStored(key);
    this.store.update({ deleting: undefined, refusal: answer.ok ? undefined : answer.sentence });
    await this.refresh();
  }

  /** Asks the browser not to clear it by itself; only a page may ask. */
  async persist(): Promise<void> {
    const granted = await navigator.storage.persist();
    if (!granted)
      this.store.update({
        refusal:
          'The browser did not promise it; it does once the page is installed as an app or visited often.',
      });
    await this.refresh();
  }
}
