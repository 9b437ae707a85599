import '../elements/notice-bar.ts';
import '../shared/correction-tray.ts';
import './compare-blind-view.ts';
import './compare-groups-view.ts';
import './compare-headline-view.ts';
import './compare-mended-view.ts';
import './compare-summary-view.ts';
import './compare-table-view.ts';
import { css, html, nothing } from 'lit';
import { customElement, query, state } from 'lit/decorators.js';
import type { TestDetail, Vote } from '../../engine/protocol/comparison.ts';
import type { Correction } from '../../engine/protocol/corrections.ts';
import type { Answer } from '../../engine/protocol/protocol.ts';
import { visibleText } from '../../formats/visible-text.ts';
import { saveFile } from '../../platform/save-file.ts';
import { safeText } from '../shared/safe-text.ts';
import { SessionView } from '../shared/session-view.ts';
import { showDate } from '../shared/show-date.ts';
import { shared } from '../shared/styles.ts';
import type { CompareTableView } from './compare-table-view.ts';
import { type AnswerFilter, mendedIn } from './comparison.ts';

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
      correction-tray {
        position: sticky;
        bottom: 0.5rem;
        z-index: 1;
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
    return [this.session.tests.store, this.session.corrections.store];
  }

  override connectedCallback(): void {
    super.connectedCallback();
    // A version that was trained meanwhile changes what the tray says.
    void this.session.corrections.open(this.#corrected());
  }

  protected override updated(): void {
    const run = this.#corrected();
    if (run !== this.session.corrections.store.state.run) {
      void this.session.corrections.open(run);
    }
  }

  /** The run whose result is to become better: of the versions that are compared the second, or else the last that is one. */
  #corrected(): string | undefined {
    const { detail, comparison } = this.session.tests.store.state;
    return detail && runToCorrect(detail, comparison?.versions[1]);
  }

  override render() {
    const { tests } = this.session;
    const { detail, comparison, running } = tests.store.state;
    const { corrections } = this.session;
    if (!detail) {
      return nothing;
    }
    const { record } = detail;
    // Until both have answered something there is no score to show.
    const partial = record.status !== 'finished' || running !== undefined;
    const mended = comparison && mendedIn(detail, comparison);
    const correctable = corrections.store.state.run !== undefined;
    const answered = comparison?.versions.every((i) => record.versions[i]!.answered > 0);
    const failed = record.versions.filter(({ state: s }) => s === 'failed');
    return html`<p class="only-printed">
        ${record.base} · ${record.questionsFile} · ${showDate(record.created)}
      </p>
      ${failed.map(
        ({ name, sentence = '' }) =>
          html`<notice-bar kind="bad" .text=${`${name} could not be tested: ${sentence}`}></notice-bar>`,
      )}
      ${record.versions.length > 1 ? this.#pair() : nothing}
      ${
        mended
          ? html`<compare-mended-view
              .names=${comparison.versions.map((i) => record.versions[i]!.name)}
              .mended=${mended}
              ?partial=${partial}
              @show=${(event: CustomEvent<Partial<AnswerFilter>>) => this.table.show(event.detail)}
            ></compare-mended-view>`
          : nothing
      }
      ${
        comparison && (comparison.headline || (!partial && answered))
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
      ${
        comparison
          ? html`<compare-blind-view
              .detail=${detail}
              .comparison=${comparison}
              @vote=${({ detail: { question, vote } }: CustomEvent<{ question: number; vote: Vote }>) =>
                void tests.vote(question, vote)}
            ></compare-blind-view>`
          : nothing
      }
      ${
        this.#corrected() === undefined
          ? html`<p class="soft small">
              Answers can be corrected, and a next version trained on that, where a version was made by a run
              in this browser: train one, or import its run.
            </p>`
          : nothing
      }
      <compare-table-view
        .detail=${detail}
        .comparison=${comparison}
        .tray=${correctable ? corrections.store.state.tray : undefined}
        @correct=${({ detail: one }: CustomEvent<Omit<Correction, 'changed'>>) => void corrections.keep(one)}
        @uncorrect=${({ detail: question }: CustomEvent<string>) => void corrections.remove({ question })}
        @vote=${({ detail: { question, vote } }: CustomEvent<{ question: number; vote: Vote | undefined }>) =>
          void tests.vote(question, vote)}
      ></compare-table-view>
      <correction-tray .session=${this.session} .test=${record}></correction-tray>`;
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

/** The run of a version that was trained here: of this one, or else of the last that was. */
function runToCorrect({ record }: TestDetail, preferred: number | undefined): string | undefined {
  const made = record.versions.map(({ kind, run }) => (kind === 'result' ? run : undefined));
  return (preferred === undefined ? undefined : made[preferred]) ?? made.findLast((run) => run !== undefined);
}

/** A file name that every system accepts. */
const fileName = (name: string): string => name.replace(/[^\p{L}\p{N}.]+/gu, '_').replace(/^_|_$/g, '');
