import { css, html, LitElement } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { safeText } from '../shared/safe-text.ts';
import { shared } from '../shared/styles.ts';

/** How far something is: what it is, the figures beside it, and the bar below. */
@customElement('progress-line')
export class ProgressLine extends LitElement {
  @property() what = '';
  @property() aside = '';
  /** Of the total, in any unit; a total of 0 is not known yet. */
  @property({ type: Number }) done = 0;
  @property({ type: Number }) total = 0;

  static override styles = [
    shared,
    css`
      :host {
        display: grid;
        gap: 0.4rem;
      }
      div {
        display: flex;
        flex-wrap: wrap;
        gap: 0.25rem 1.5rem;
        justify-content: space-between;
        font-size: var(--small);
      }
      label {
        font-weight: 550;
        overflow-wrap: anywhere;
      }
    `,
  ];

  override render() {
    return html`<div>
        <label for="bar">${safeText(this.what)}</label>
        <span class="soft numbers">${this.aside}</span>
      </div>
      <progress id="bar" max=${this.total || 1} value=${this.done}></progress>`;
  }
}
