import { css, html, LitElement, nothing } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import type { RowsFacts } from '../../engine/protocol/protocol.ts';
import { shared } from '../shared/styles.ts';
import { rowText, rowTextStyles } from './row-text.ts';

const FEW = 3;

/** The first rows as the model will read them; trained tokens are tinted, underlined and, to a reader, announced. */
@customElement('row-preview')
export class RowPreview extends LitElement {
  @property({ attribute: false }) rows: RowsFacts['preview'] = [];
  @property() unit: RowsFacts['unit'] = 'line';
  @state() private all = false;

  static override styles = [
    shared,
    rowTextStyles,
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
              <span class="line">${this.unit} ${line}</span>${rowText(pieces, `Row of ${this.unit} ${line}`)}
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
