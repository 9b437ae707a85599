import { UserError } from '../../formats/user-error.ts';
import type { AppState } from './app-state.ts';
import type { Store } from './store.ts';

/** What `ask` reads of the browser's storage; where that fails the page says so, and `instead` stands for it. */
export async function fromStorage<T>(app: Store<AppState>, ask: () => Promise<T>, instead: T): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof UserError)) {
      throw error;
    }
    app.update({ storage: { ok: false, sentence: error.message } });
    return instead;
  }
}
