import { css, html, LitElement, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { safeText } from '../shared/safe-text.ts';
import { shared } from '../shared/styles.ts';

export interface Check {
  state: 'good' | 'bad' | 'warn' | 'todo' | 'busy';
  title: string;
  detail?: string | undefined;
  /** Under this name it can be canceled. */
  cancel?: string | undefined;
  /** Under this name it can be done again, and what the button says, where that is not "Try again". */
  again?: string | undefined;
  act?: string | undefined;
  /** No start waits for it. */
  aside?: boolean | undefined;
  /** Under this name there is more to see. */
  more?: string | undefined;
}

const MARKS = { good: '✓', bad: '✕', warn: '!', todo: '', busy: '…' } as const;
const WORDS = {
  good: 'in order',
  bad: 'not in order',
  warn: 'careful',
  todo: 'to do',
  busy: 'being checked',
} as const;

/**
 * What must be in order before a run can start, and whether it is; fires `canceled`, `again` and `more` with a check's
 * name as its detail.
 */
@customElement('check-list')
export class CheckList extends LitElement {
  @property({ attribute: false }) checks: readonly Check[] = [];

  static override styles = [
    shared,
    css`
      :host {
        display: block;
      }
      ul {
        display: grid;
        gap: 0.7rem;
      }
      li {
        display: grid;
        grid-template-columns: 1.4rem 1fr;
        gap: 0.6rem;
        font-size: var(--small);
      }
      .mark {
        width: 1.25rem;
        height: 1.25rem;
        margin-top: 0.05rem;
        border-radius: 50%;
        border: 1.5px solid var(--tone, var(--line-strong));
        font: 700 0.75rem/1.1rem var(--sans);
        text-align: center;
        color: var(--tone, var(--ink-soft));
      }
      .good {
        --tone: var(--good);
      }
      .bad {
        --tone: var(--bad);
      }
      .warn {
        --tone: var(--warn);
      }
      .title {
        font-weight: 550;
      }
      .todo .title,
      .busy .title {
        color: var(--ink-soft);
      }
      .detail {
        color: var(--ink-soft);
        overflow-wrap: anywhere;
      }
      .bad .detail {
        color: var(--bad);
      }
    `,
  ];

  override render() {
    return html`<ul>
      ${this.checks.map(
        ({ state, title, detail, cancel, again, act = 'Try again', more }) =>
          html`<li class=${state}>
            <span class="mark" role="img" aria-label=${WORDS[state]}>${MARKS[state]}</span>
            <div>
              <span class="title">${title}</span>
              ${detail ? html`<p class="detail">${safeText(detail)}</p>` : nothing}
              ${cancel ? this.#button('canceled', 'Cancel', cancel, title) : nothing}
              ${again ? this.#button('again', act, again, title) : nothing}
              ${more ? this.#button('more', 'Show', more, title) : nothing}
            </div>
          </li>`,
      )}
    </ul>`;
  }

  #button(event: 'canceled' | 'again' | 'more', act: string, detail: string, title: string) {
    return html`<button
      type="button"
      class="link"
      @click=${() => this.dispatchEvent(new CustomEvent(event, { detail }))}
    >
      ${act}<span class="only-heard">: ${title}</span>
    </button>`;
  }
}
