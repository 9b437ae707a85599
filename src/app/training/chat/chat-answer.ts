import { css, html, LitElement, nothing } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { safeText } from '../../shared/safe-text.ts';
import { shared } from '../../shared/styles.ts';
import type { ShownAnswer } from './chat-state.ts';

const ENDS: Partial<Record<ShownAnswer['state'], string>> = {
  waiting: 'waiting',
  length: 'cut at the length',
  cancelled: 'canceled',
  'stop text': 'ended at a stop text',
};

/** One answer: whose it is, what it says, and what can be done with it; further actions go into its slot. */
@customElement('chat-answer')
export class ChatAnswer extends LitElement {
  /** Whose it is. */
  @property() name = '';
  @property({ attribute: false }) answer!: ShownAnswer;
  @state() private said = '';

  static override styles = [
    shared,
    css`
      :host {
        display: block;
        height: 100%;
        min-width: 0;
      }
      article {
        height: 100%;
        display: grid;
        grid-template-rows: auto 1fr auto;
        gap: 0.3rem;
        background: var(--sunken);
        border-radius: var(--radius-small);
        padding: 0.7rem 0.9rem;
        min-width: 0;
      }
      h4 {
        font-size: var(--tiny);
        color: var(--ink-soft);
      }
      h4 span {
        font-weight: 400;
      }
      .text {
        white-space: pre-wrap;
        overflow-wrap: anywhere;
        unicode-bidi: isolate;
        font-size: 0.9375rem;
      }
      .failed .text {
        color: var(--bad);
      }
      .row {
        gap: 0.2rem 0.6rem;
      }
      .caret {
        display: inline-block;
        width: 0.5em;
        height: 1em;
        vertical-align: text-bottom;
        background: var(--accent);
        animation: blink 1s steps(2) infinite;
      }
      @keyframes blink {
        50% {
          opacity: 0;
        }
      }
    `,
  ];

  override render() {
    const { state: at } = this.answer;
    const end = ENDS[at];
    const busy = at === 'waiting' || at === 'streaming';
    return html`<article class=${at.replace(' ', '-')} aria-busy=${busy}>
      <h4>${safeText(this.name)}${end ? html`<span>, ${end}</span>` : nothing}</h4>
      ${this.#text()}
      ${
        busy || at === 'failed'
          ? nothing
          : html`<div class="row">
              <button type="button" class="link" @click=${this.#copy}>
                Copy<span class="only-heard"> the answer of ${safeText(this.name)}</span>
              </button>
              <slot></slot>
              <span class="soft small" role="status">${this.said}</span>
            </div>`
      }
    </article>`;
  }

  /** Line breaks count here, so the template has none of its own. */
  #text() {
    const { text, state: at } = this.answer;
    const caret = at === 'streaming' ? html`<span class="caret" aria-hidden="true"></span>` : nothing;
    const nothingSaid = text === '' && at !== 'waiting' && at !== 'streaming';
    return nothingSaid
      ? html`<p class="text soft">(nothing)</p>`
      : html`<p class="text">${safeText(text)}${caret}</p>`;
  }

  readonly #copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(this.answer.text);
      this.said = 'Copied.';
    } catch {
      this.said = 'The browser did not allow it; select the text and copy it.';
    }
  };
}
