import '../elements/ask-once.ts';
import { css, html, nothing } from 'lit';
import { customElement } from 'lit/decorators.js';
import type { TestRecord } from '../../engine/protocol/comparison.ts';
import { counted } from '../../formats/words.ts';
import { safeText } from '../shared/safe-text.ts';
import { SessionView } from '../shared/session-view.ts';
import { showDate } from '../shared/show-date.ts';
import { shared } from '../shared/styles.ts';

/** The tests that the browser stores, to open or delete. */
@customElement('test-list-view')
export class TestListView extends SessionView {
  static override styles = [
    shared,
    css`
      :host {
        display: block;
      }
      h3 {
        margin-bottom: 0.5rem;
      }
      li {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        justify-content: space-between;
        gap: 0.4rem 1rem;
        padding: 0.7rem 0;
        border-top: 1px solid var(--line);
      }
      li:first-child {
        border-top: 0;
      }
      p {
        overflow-wrap: anywhere;
      }
    `,
  ];

  protected override get stores() {
    return [this.session.tests.store];
  }

  override render() {
    const { records } = this.session.tests.store.state;
    if (records.length === 0) {
      return nothing;
    }
    return html`<section class="panel" aria-labelledby="kept">
      <h3 id="kept">Earlier tests</h3>
      <ul>
        ${records.map((record) => this.#row(record))}
      </ul>
    </section>`;
  }

  #row({ id, name, created, status, versions, questions }: TestRecord) {
    const { tests } = this.session;
    const answered = versions.reduce((sum, version) => sum + version.answered, 0);
    const state =
      status === 'finished'
        ? counted(questions, 'question')
        : `unfinished, ${answered} of ${questions * versions.length} answers`;
    return html`<li>
      <div>
        <p><strong>${safeText(name)}</strong></p>
        <p class="soft small">${showDate(created)} · ${state}</p>
      </div>
      <span class="row">
        <button type="button" @click=${() => void tests.open(id)}>
          Open<span class="only-heard"> ${safeText(name)}</span>
        </button>
        <ask-once
          .subject=${name}
          .question=${`Delete this test for good, with its ${counted(answered, 'answer')} and the votes on them?`}
          @confirmed=${() => void tests.delete(id)}
        ></ask-once>
      </span>
    </li>`;
  }
}
