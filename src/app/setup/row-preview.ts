import { css, html, LitElement, nothing } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import type { RowsFacts } from '../../engine/protocol/protocol.ts';
import { safeText } from '../shared/safe-text.ts';
import { shared } from '../shared/styles.ts';

const FEW = 3;

/** The first rows as the model will read them; trained tokens are tinted, underlined and, to a reader, announced. */
@customElement('row-preview')
export class RowPreview extends LitElement {
  @property({ attribute: false }) rows: RowsFacts['preview'] = [];
  @property() unit: RowsFacts['unit'] = 'line';
  @state() private all = false;

  static override styles = [
    shared,
    css`
      :host {
        display: block;
      }
      .legend {
        font-size: var(--small);
        color: var(--ink-soft);
        margin-bottom: 0.6rem;
      }
      ol {
        display: grid;
        gap: 0.5rem;
      }
      li {
        display: grid;
        grid-template-columns: 4.5rem 1fr;
        gap: 0.75rem;
        padding: 0.7rem 0.85rem;
        background: var(--sunken);
        border-radius: var(--radius-small);
      }
      .line {
        font-size: var(--tiny);
        color: var(--ink-soft);
        padding-top: 0.1rem;
      }
      .text {
        font: var(--small) / 1.65 var(--mono);
        white-space: pre-wrap;
        overflow-wrap: anywhere;
        unicode-bidi: isolate;
        max-height: 16rem;
        overflow: auto;
      }
      mark {
        background: var(--trained);
        color: var(--ink);
        text-decoration: underline;
        text-decoration-color: var(--trained-line);
        text-decoration-thickness: 2px;
        text-underline-offset: 0.25em;
        text-decoration-skip-ink: none;
      }
      @media (max-width: 40rem) {
        li {
          grid-template-columns: 1fr;
          gap: 0.25rem;
        }
      }
    `,
  ];

  override render() {
    return html`<p class="legend">Only the <mark>highlighted</mark> part is trained; the rest is context.</p>
      <ol>
        ${(this.all ? this.rows : this.rows.slice(0, FEW)).map(
          ({ line, pieces }) =>
            html`<li>
              <span class="line">${this.unit} ${line}</span
              ><span class="text" tabindex="0" role="group" aria-label="Row of ${this.unit} ${line}"
                >${pieces.map(({ text, trained }) => (trained ? html`<mark>${safeText(text)}</mark>` : safeText(text)))}</span
              >
            </li>`,
        )}
      </ol>
      ${
        this.rows.length > FEW
          ? html`<button
              type="button"
              class="link"
              aria-expanded=${this.all}
              @click=${() => (this.all = !this.all)}
            >
              ${this.all ? 'Show fewer' : `Show ${this.rows.length - FEW} more`}
            </button>`
          : nothing
      }`;
  }
}
