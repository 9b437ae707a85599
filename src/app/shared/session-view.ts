import { LitElement } from 'lit';
import { property } from 'lit/decorators.js';
import type { AppState } from './app-state.ts';
import type { PageSession } from './session.ts';
import type { Store } from './store.ts';

/** A view of the session: renders again whenever its state changes. */
export abstract class SessionView extends LitElement {
  @property({ attribute: false }) session!: PageSession;
  #subscriptions: readonly (() => void)[] = [];

  protected get app(): Readonly<AppState> {
    return this.session.store.state;
  }

  /** Where what it shows may change. */
  protected get stores(): readonly Pick<Store<object>, 'subscribe'>[] {
    return [this.session.store];
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#subscriptions = this.stores.map((store) => store.subscribe(() => this.requestUpdate()));
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    for (const unsubscribe of this.#subscriptions) {
      unsubscribe();
    }
  }
}
