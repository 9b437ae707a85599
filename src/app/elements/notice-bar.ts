import { css, html, LitElement } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { safeText } from '../shared/safe-text.ts';
import { shared } from '../shared/styles.ts';

const MARKS = { info: 'i', warn: '!', bad: '!', good: '✓' } as const;
const NAMES = { info: 'Note', warn: 'Careful', bad: 'Problem', good: 'Done' } as const;

/** One message that must be seen, with room for actions. */
@customElement('notice-bar')
export class NoticeBar extends LitElement {
  @property() kind: keyof typeof MARKS = 'info';
  @property() text = '';

  static override styles = [
    shared,
    css`
      :host {
        display: block;
      }
      .what {
        flex: 1 1 16rem;
        min-width: 0;
        display: flex;
        gap: 0.75rem;
      }
      .bar {
        display: flex;
        flex-wrap: wrap;
        gap: 0.6rem 0.75rem;
        align-items: center;
        padding: 0.75rem 1rem;
        border: 1px solid var(--line);
        border-left: 4px solid var(--tone);
        border-radius: var(--radius-small);
        background: var(--ground);
        --tone: var(--accent);
        --ground: var(--accent-soft);
      }
      .warn {
        --tone: var(--warn);
        --ground: var(--warn-soft);
      }
      .bad {
        --tone: var(--bad);
        --ground: var(--bad-soft);
      }
      .good {
        --tone: var(--good);
      }
      .mark {
        flex: none;
        margin-top: 0.1rem;
        width: 1.35rem;
        height: 1.35rem;
        border-radius: 50%;
        background: var(--tone);
        color: var(--surface);
        font: 700 0.85rem/1.35rem var(--sans);
        text-align: center;
      }
      p {
        min-width: 0;
        overflow-wrap: anywhere;
      }
    `,
  ];

  override render() {
    return html`<div class="bar ${this.kind}">
      <div class="what">
        <span class="mark" role="img" aria-label=${NAMES[this.kind]}>${MARKS[this.kind]}</span>
        <p>${safeText(this.text)}<slot></slot></p>
      </div>
      <slot name="actions"></slot>
    </div>`;
  }
}
