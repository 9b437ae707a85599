import type { EngineApi } from '../../engine/protocol/protocol.ts';
import type { AppState } from './app-state.ts';
import type { Store } from './store.ts';

/** Watches whether the engine responds; one that does not can be ended by the user, never automatically. */
export class EngineWatch {
  readonly #engine: EngineApi;
  readonly #store: Store<AppState>;
  #watching = false;

  constructor(engine: EngineApi, store: Store<AppState>) {
    this.#engine = engine;
    this.#store = store;
  }

  /** Called after a request to the engine: marks the engine unresponsive until it responds. */
  async watch(): Promise<void> {
    if (this.#watching) {
      return;
    }
    this.#watching = true;
    while (!(await this.#engine.responds())) {
      this.#store.update({ unresponsive: true });
    }
    this.#watching = false;
    if (this.#store.state.unresponsive) {
      this.#store.update({ unresponsive: false });
    }
  }

  /** Ends the engine with all that it does, and starts another. */
  end(): void {
    this.#engine.restart('The engine did not respond and was ended; resume from what it had saved.');
  }
}
