import type { StorageAccount } from '../../engine/protocol/comparison.ts';
import type { EngineApi } from '../../engine/protocol/protocol.ts';
import type { AppState } from './app-state.ts';
import { whileAsked } from './browser-questions.ts';
import { fromStorage } from './from-storage.ts';
import { Store } from './store.ts';

interface StorageState {
  account?: StorageAccount | undefined;
  /** Key of what is being deleted. */
  deleting?: string | undefined;
  refusal?: string | undefined;
}

/** Stands for all that can be deleted. */
export const EVERYTHING = 'everything';

/** What the browser keeps for this page, and how much of it there is. */
export class StorageUse {
  readonly store = new Store<StorageState>({});
  readonly #engine: EngineApi;
  readonly #app: Store<AppState>;

  constructor(engine: EngineApi, app: Store<AppState>) {
    this.#engine = engine;
    this.#app = app;
  }

  /** Looks whether the browser keeps anything, and says so. Resolves to whether it does. */
  async check(): Promise<boolean> {
    const storage = await this.#engine.checkStorage();
    this.#app.update({ storage });
    return storage.ok;
  }

  async refresh(): Promise<void> {
    const { account } = this.store.state;
    this.store.update({ account: await fromStorage(this.#app, () => this.#engine.storage(), account) });
  }

  /** Deletes an item, or all of them. */
  async delete(key: string | typeof EVERYTHING): Promise<void> {
    this.store.update({ deleting: key, refusal: undefined });
    const answer = await (key === EVERYTHING
      ? this.#engine.deleteAllStored()
      : this.#engine.deleteStored(key));
    this.store.update({ deleting: undefined, refusal: answer.ok ? undefined : answer.sentence });
    await this.refresh();
  }

  /** Asks the browser not to clear it by itself; only a page may ask. */
  async persist(): Promise<void> {
    const granted = await askToPersist(this.#app);
    if (!granted) {
      this.store.update({
        refusal:
          'The browser did not promise it: it does so once the page is installed as an app or visited often, and never in a private window.',
      });
    }
    await this.refresh();
  }
}

/**
 * Asks the browser never to clear this site's storage by itself; false where it will not, knows no such promise, or the
 * user does not want to wait for its question.
 */
export async function askToPersist(app: Store<AppState>): Promise<boolean> {
  const { storage } = navigator as { storage?: Partial<StorageManager> };
  try {
    if (!storage?.persist) {
      return false;
    }
    const ask = () => storage.persist!();
    const text =
      'The browser asks whether Retune may keep its runs until you delete them: answer it at the top of this window.';
    return (await whileAsked(app, text, ask, { silent: true })) ?? false;
  } catch {
    return false;
  }
}
