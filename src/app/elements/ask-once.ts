import { css, html, LitElement } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { safeText } from '../shared/safe-text.ts';
import { shared } from '../shared/styles.ts';

/** A button for what cannot be undone: it asks once, then fires `confirmed`. */
@customElement('ask-once')
export class AskOnce extends LitElement {
  /** The button's label, such as Delete. */
  @property() word = 'Delete';
  /** Its subject, for screen readers that announce the buttons alone. */
  @property() subject = '';
  @property() question = '';
  @property({ type: Boolean }) locked = false;
  @state() private asking = false;

  static override styles = [
    shared,
    css`
      :host {
        display: inline-block;
      }
      .row {
        justify-content: flex-end;
        text-align: left;
      }
      .answers {
        display: flex;
        gap: 0.6rem;
      }
      .question {
        font-size: var(--small);
        overflow-wrap: anywhere;
      }
      @media print {
        :host {
          display: none;
        }
      }
    `,
  ];

  override render() {
    if (!this.asking) {
      return html`<button
        type="button"
        class="link"
        ?disabled=${this.locked}
        @click=${() => this.#ask(true, '.yes')}
      >
        ${this.word}<span class="only-heard"> ${safeText(this.subject)}</span>
      </button>`;
    }
    return html`<span
      class="row"
      role="group"
      aria-label=${`${this.word} ${this.subject}`}
      @keydown=${(event: KeyboardEvent) => event.key === 'Escape' && this.#ask(false, 'button')}
    >
      <span class="question" id="question">${safeText(this.question)}</span>
      <span class="answers">
        <button type="button" class="yes" aria-describedby="question" @click=${this.#confirmed}>
          ${this.word}
        </button>
        <button type="button" @click=${() => this.#ask(false, 'button')}>Keep</button>
      </span>
    </span>`;
  }

  async #ask(asking: boolean, focus: string): Promise<void> {
    this.asking = asking;
    await this.updateComplete;
    this.renderRoot.querySelector<HTMLElement>(focus)?.focus();
  }

  readonly #confirmed = (): void => {
    this.asking = false;
    this.dispatchEvent(new CustomEvent('confirmed'));
  };
}
