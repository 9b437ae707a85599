import { css, html, LitElement } from 'lit';
import { customElement, property, query } from 'lit/decorators.js';
import type { LogLine } from '../shared/app-state.ts';
import { safeText } from '../shared/safe-text.ts';
import { shared } from '../shared/styles.ts';

/** What happened, line by line; follows the newest unless scrolled away from it. */
@customElement('run-log')
export class RunLogView extends LitElement {
  @property({ attribute: false }) lines: readonly LogLine[] = [];
  @query('.box') private list!: HTMLElement;
  #follows = true;

  static override styles = [
    shared,
    css`
      :host {
        display: block;
      }
      .box {
        height: 12rem;
        overflow: auto;
        font: var(--tiny) / 1.6 var(--mono);
        background: var(--sunken);
        border-radius: var(--radius-small);
        padding: 0.6rem 0.8rem;
      }
      ol {
        display: grid;
        grid-template-columns: auto 1fr;
        column-gap: 0.9rem;
      }
      li {
        display: grid;
        grid-column: 1 / -1;
        grid-template-columns: subgrid;
        overflow-wrap: anywhere;
      }
      time {
        color: var(--ink-soft);
        white-space: nowrap;
      }
      .problem {
        color: var(--bad);
      }
      .note,
      .checkpoint {
        color: var(--accent);
      }
    `,
  ];

  override willUpdate(): void {
    if (!this.list) {
      return;
    }
    const { scrollTop, clientHeight, scrollHeight } = this.list;
    this.#follows = scrollTop + clientHeight > scrollHeight - 24;
  }

  override updated(): void {
    if (this.#follows) {
      this.list.scrollTop = this.list.scrollHeight;
    }
  }

  override render() {
    return html`<div class="box" tabindex="0" role="log" aria-label="Log" aria-live="off">
      <ol>
        ${this.lines.map(
          ({ time, kind, text }) =>
            html`<li class=${kind}>${timeOf(time)}<span>${safeText(text)}</span></li>`,
        )}
      </ol>
    </div>`;
  }
}

/** The time of day; with the day where that is another than today. Without a time, its place stays empty. */
function timeOf(time: number | undefined) {
  if (time === undefined) {
    return html`<time></time>`;
  }
  const then = new Date(time);
  const clock = then.toLocaleTimeString([], { hour12: false });
  const isToday = then.toDateString() === new Date().toDateString();
  const day = isToday ? '' : `${then.toLocaleDateString([], { month: 'short', day: 'numeric' })} `;
  return html`<time datetime=${then.toISOString()}>${day}${clock}</time>`;
}
