import { css, html, LitElement, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { counted } from '../../formats/words.ts';
import { safeText } from '../shared/safe-text.ts';
import { shared } from '../shared/styles.ts';
import type { AnswerFilter, Mended } from './comparison.ts';

/** What the corrections have mended, and what was lost for it. Fires `show` with a filter. */
@customElement('compare-mended-view')
export class CompareMendedView extends LitElement {
  @property({ attribute: false }) names!: readonly [before: string, after: string];
  @property({ attribute: false }) mended!: Mended;
  @property({ type: Boolean }) partial = false;

  static override styles = [
    shared,
    css`
      :host {
        display: block;
        break-inside: avoid;
      }
      .panel {
        display: grid;
        gap: 0.5rem;
        border-left: 5px solid var(--tone, var(--line-strong));
      }
      .good {
        --tone: var(--good);
      }
      .bad {
        --tone: var(--bad);
      }
      h3 {
        font-size: 1.25rem;
        overflow-wrap: anywhere;
      }
      .ok b {
        color: var(--good);
      }
      .no b {
        color: var(--bad);
      }
      @media print {
        button {
          display: none;
        }
      }
    `,
  ];

  override render() {
    const { mended, unmended, kept, lost } = this.mended;
    const [before, after] = this.names;
    const corrected = mended.length + unmended.length;
    const tone =
      lost.length === 0 && unmended.length === 0 ? 'good' : lost.length > mended.length ? 'bad' : '';
    const title =
      corrected === 0
        ? `${after} was trained on approved answers`
        : `${after} mends ${mended.length} of ${counted(corrected, 'corrected answer')}`;
    return html`<section class="panel ${tone}" aria-labelledby="mended">
      <h3 id="mended">
        ${safeText(title)}${this.partial ? html` <span class="soft">(so far)</span>` : nothing}
      </h3>
      ${this.#line('ok', '✓', 'mended', mended, `${after} gives the corrected answer.`)}
      ${this.#line('no', '✗', 'unmended', unmended, `${after} does not give the corrected answer yet: correct it again, or train longer.`)}
      ${this.#line('ok', '✓', 'kept', kept, `${after} still gives the answer that was approved.`)}
      ${this.#line('no', '↓', 'lost', lost, `${before} did better: more earlier rows against forgetting may help.`)}
      ${lost.length === 0 ? html`<p>Nothing was lost: on no other question is ${safeText(after)} worse than ${safeText(before)}.</p>` : nothing}
    </section>`;
  }

  #line(kind: 'ok' | 'no', mark: string, show: keyof Mended, questions: readonly number[], what: string) {
    if (questions.length === 0) {
      return nothing;
    }
    const names = { mended: 'mended', unmended: 'not mended', kept: 'kept', lost: 'lost' };
    return html`<p class="row ${kind}">
      <span
        ><b><span aria-hidden="true">${mark}</span> ${questions.length} ${names[show]}:</b>
        ${safeText(what)}</span
      >
      <button
        type="button"
        class="link"
        @click=${() => this.dispatchEvent(new CustomEvent<Partial<AnswerFilter>>('show', { detail: { show } }))}
      >
        Show ${questions.length === 1 ? 'it' : 'them'}<span class="only-heard"> (${names[show]})</span>
      </button>
    </p>`;
  }
}
