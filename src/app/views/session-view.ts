import { LitElement } from 'lit';
import { property } from 'lit/decorators.js';
import type { AppState } from '../state/app-state.ts';
import type { Session } from '../state/session.ts';

/** A view of the session: renders again whenever its state changes. */
export abstract class SessionView extends LitElement {
  @property({ attribute: false }) session!: Session;
  #unsubscribe: (() => void) | undefined;

  protected get app(): Readonly<AppState> {
    return this.session.store.state;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#unsubscribe = this.session.store.subscribe(() => this.requestUpdate());
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#unsubscribe?.();
  }
}
