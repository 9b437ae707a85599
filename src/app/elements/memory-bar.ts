import { css, html, LitElement } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { showBytes } from '../../formats/words.ts';
import { shared } from '../shared/styles.ts';

/** Bytes by kind: a table whose rows carry their share as a bar. */
@customElement('memory-bar')
export class MemoryBar extends LitElement {
  @property({ attribute: false }) kinds: readonly (readonly [kind: string, bytes: number])[] = [];

  static override styles = [
    shared,
    css`
      :host {
        display: block;
      }
      table {
        width: 100%;
        border-collapse: collapse;
        font-size: var(--tiny);
      }
      th {
        font-weight: 400;
        text-align: left;
        color: var(--ink-soft);
        padding: 0.15rem 0.5rem 0.15rem 0;
        white-space: nowrap;
      }
      td {
        text-align: right;
        white-space: nowrap;
      }
      td.share {
        width: 40%;
        padding-right: 0.5rem;
      }
      svg {
        display: block;
        width: 100%;
        height: 0.5rem;
        fill: var(--accent);
        background: var(--sunken);
        border-radius: 2px;
      }
    `,
  ];

  override render() {
    const sorted = this.kinds.filter(([, bytes]) => bytes > 0).toSorted((a, b) => b[1] - a[1]);
    const largest = sorted[0]?.[1] ?? 1;
    return html`<table class="numbers">
      <caption class="only-heard">
        GPU memory by kind
      </caption>
      <tbody>
        ${sorted.map(
          ([kind, bytes]) =>
            html`<tr>
              <th scope="row">${kind}</th>
              <td class="share">
                <svg aria-hidden="true" viewBox="0 0 100 1" preserveAspectRatio="none">
                  <rect width=${(100 * bytes) / largest} height="1" />
                </svg>
              </td>
              <td>${showBytes(bytes)}</td>
            </tr>`,
        )}
      </tbody>
    </table>`;
  }
}
