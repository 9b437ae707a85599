import '../elements/notice-bar.ts';
import './compare-groups-view.ts';
import './compare-headline-view.ts';
import './compare-summary-view.ts';
import './compare-table-view.ts';
import { css, html, nothing } from 'lit';
import { customElement, query, state } from 'lit/decorators.js';
import type { Vote } from '../../engine/protocol/comparison.ts';
import type { Answer } from '../../engine/protocol/protocol.ts';
import { visibleText } from '../../formats/visible-text.ts';
import { saveFile } from '../../platform/save-file.ts';
import { safeText } from '../shared/safe-text.ts';
import { SessionView } from '../shared/session-view.ts';
import { shared } from '../shared/styles.ts';
import type { CompareTableView } from './compare-table-view.ts';
import type { AnswerFilter } from './comparison.ts';

/** A test's answers: one figure, then what it is made of, then every answer. */
@customElement('compare-view')
export class CompareView extends SessionView {
  @state() private problem = '';
  @query('compare-table-view') private table!: CompareTableView;

  static override styles = [
    shared,
    css`
      :host {
        display: grid;
        gap: var(--gap);
        min-width: 0;
      }
      :host > * {
        min-width: 0;
      }
      .pair label {
        font-size: var(--small);
      }
      .pair select {
        width: auto;
        max-width: 14rem;
      }
      .take {
        justify-content: space-between;
      }
      .only-printed {
        display: none;
      }
      @media print {
        .take,
        .pair {
          display: none;
        }
        .only-printed {
          display: block;
        }
      }
    `,
  ];

  protected override get stores() {
    return [this.session.tests.store];
  }

  override render() {
    const { tests } = this.session;
    const { detail, comparison, running } = tests.store.state;
    if (!detail) {
      return nothing;
    }
    const { record } = detail;
    // Until both have answered something there is no score to show.
    const partial = record.status !== 'finished' || running !== undefined;
    const failed = record.versions.filter(({ state: s }) => s === 'failed');
    return html`<p class="only-printed">
        ${record.base} · ${record.questionsFile} · ${new Date(record.created).toLocaleString()}
      </p>
      ${failed.map(
        ({ name, sentence = '' }) =>
          html`<notice-bar kind="bad" .text=${`${name} could not be tested: ${sentence}`}></notice-bar>`,
      )}
      ${record.versions.length > 1 ? this.#pair() : nothing}
      ${
        comparison && (comparison.headline || !partial)
          ? html`<compare-headline-view
              .names=${comparison.versions.map((i) => record.versions[i]!.name)}
              .comparison=${comparison}
              ?partial=${partial}
              @show=${(event: CustomEvent<Partial<AnswerFilter>>) => this.table.show(event.detail)}
            ></compare-headline-view>`
          : nothing
      }
      <compare-summary-view .detail=${detail}></compare-summary-view>
      <compare-groups-view .detail=${detail} .comparison=${comparison}></compare-groups-view>
      ${this.#downloads()}
      ${this.problem ? html`<notice-bar kind="bad" role="alert" .text=${this.problem}></notice-bar>` : nothing}
      <compare-table-view
        .detail=${detail}
        .comparison=${comparison}
        @vote=${({ detail: { question, vote } }: CustomEvent<{ question: number; vote: Vote | undefined }>) =>
          void tests.vote(question, vote)}
      ></compare-table-view>`;
  }

  #pair() {
    const { detail, pair } = this.session.tests.store.state;
    const { versions } = detail!.record;
    if (versions.length < 3) {
      return nothing;
    }
    const pick = (label: string, at: 0 | 1) =>
      html`<label for=${`side-${at}`}>${label}</label>
        <select
          id=${`side-${at}`}
          @change=${(event: Event) => {
            const chosen = Number((event.target as HTMLSelectElement).value);
            void this.session.tests.compare(at === 0 ? [chosen, pair[1]] : [pair[0], chosen]);
          }}
        >
          ${versions.map(({ name }, i) => html`<option value=${i} ?selected=${pair[at] === i}>${visibleText(name)}</option>`)}
        </select>`;
    return html`<div class="row pair" role="group" aria-label="Compared">
      ${pick('Compare', 1)} ${pick('with', 0)}
    </div>`;
  }

  #downloads() {
    const { tests } = this.session;
    const { record } = tests.store.state.detail!;
    return html`<section class="panel row take" aria-labelledby="take">
      <h3 id="take">Download</h3>
      <div class="row">
        ${record.versions.map(({ name, state: s, answered }, i) =>
          s === 'failed' || answered === 0
            ? nothing
            : html`<button
                type="button"
                @click=${() => void this.#save(`batch_test_${fileName(name)}.json`, tests.results(record.id, i))}
              >
                Results of ${safeText(name)} (.json)
              </button>`,
        )}
        <button
          type="button"
          @click=${() => void this.#save(`comparison_${fileName(record.name)}.csv`, tests.csv(record.id))}
        >
          All side by side (.csv)
        </button>
        <button type="button" @click=${() => print()}>Print</button>
      </div>
    </section>`;
  }

  async #save(name: string, asked: Promise<Answer<Blob>>): Promise<void> {
    const answer = await asked;
    this.problem = answer.ok ? '' : answer.sentence;
    if (answer.ok) {
      saveFile(name, answer.value);
    }
  }
}

/** A file name that every system accepts. */
const fileName = (name: string): string => name.replace(/[^\p{L}\p{N}.]+/gu, '_').replace(/^_|_$/g, '');
