import '../elements/answer-correction.ts';
import './compare-filter-view.ts';
import { css, html, LitElement, nothing } from 'lit';
import { customElement, property, query, state } from 'lit/decorators.js';
import { guard } from 'lit/directives/guard.js';
import type { Change } from '../../comparison/headline.ts';
import type { Scores } from '../../comparison/scores.ts';
import { splitThoughts } from '../../comparison/thoughts.ts';
import { wordDiff } from '../../comparison/word-diff.ts';
import { correctionOf } from '../../corrections/correction.ts';
import type { TestComparison, TestDetail, Vote } from '../../engine/protocol/comparison.ts';
import type { Correction, TrayCorrection } from '../../engine/protocol/corrections.ts';
import { counted } from '../../formats/words.ts';
import { type AnswerCorrection, editOnE, type KeptCorrection } from '../elements/answer-correction.ts';
import { type MarkedAgainst, markedStyles, markedText, marksLegend } from '../elements/marked-text.ts';
import { safeText } from '../shared/safe-text.ts';
import { shared } from '../shared/styles.ts';
import { tableStyles } from './compare-table-styles.ts';
import { type AnswerFilter, everything, type Marks, mendedIn, shownQuestions } from './comparison.ts';

const PAGE = 25;

const CHANGES: Record<Exclude<Change, 'same'>, string> = { better: '↑ got better', worse: '↓ got worse' };

/** What an answer's differences are marked against. */
interface Reference {
  text: string;
  against: MarkedAgainst;
}

/**
 * Every question with all answers, some at a time. Fires `vote` with {question, vote}, `correct` with a correction, and
 * `uncorrect` with the question's text.
 */
@customElement('compare-table-view')
export class CompareTableView extends LitElement {
  @property({ attribute: false }) detail!: TestDetail;
  @property({ attribute: false }) comparison?: TestComparison | undefined;
  /** What was corrected; undefined where no version is one that can be trained further. */
  @property({ attribute: false }) tray?: readonly TrayCorrection[] | undefined;
  @state() private filter: AnswerFilter = everything;
  @state() private marks: Marks = 'expected';
  @state() private page = 0;
  /** The whole table, for printing. */
  @state() private printing = false;
  @query('#answers') private heading!: HTMLElement;

  static override styles = [
    shared,
    css`
      :host {
        display: block;
        min-width: 0;
      }
    `,
    markedStyles,
    tableStyles,
  ];

  override connectedCallback(): void {
    super.connectedCallback();
    addEventListener('beforeprint', this.#print);
    addEventListener('afterprint', this.#print);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    removeEventListener('beforeprint', this.#print);
    removeEventListener('afterprint', this.#print);
  }

  /** Applies a filter and scrolls to the table. */
  show(filter: Partial<AnswerFilter>): void {
    this.filter = { ...everything, ...filter };
    this.page = 0;
    this.heading.scrollIntoView({ block: 'start' });
    this.heading.focus({ preventScroll: true });
  }

  override render() {
    const { detail, comparison, filter } = this;
    const shown = shownQuestions(detail, comparison, filter);
    const pages = Math.max(1, Math.ceil(shown.length / PAGE));
    const page = Math.min(this.page, pages - 1);
    const rows = this.printing ? shown : shown.slice(page * PAGE, (page + 1) * PAGE);
    const { versions } = detail.record;
    return html`<section aria-labelledby="answers">
      <h3 id="answers" tabindex="-1">Every answer</h3>
      <compare-filter-view
        .detail=${detail}
        .filter=${filter}
        .marks=${this.marks}
        .second=${comparison ? versions[comparison.versions[1]]!.name : undefined}
        .mended=${comparison !== undefined && mendedIn(detail, comparison) !== undefined}
        @filter=${(event: CustomEvent<AnswerFilter>) => {
          this.filter = event.detail;
          this.page = 0;
        }}
        @marks=${(event: CustomEvent<Marks>) => (this.marks = event.detail)}
      ></compare-filter-view>
      ${this.marks === 'none' ? nothing : html`<p class="small legend">Marked: ${marksLegend(this.marks === 'expected' ? 'expected' : 'other')}</p>`}
      <p class="soft small count" aria-live="polite">
        ${
          shown.length === detail.questions.length
            ? counted(shown.length, 'question')
            : `${shown.length} of ${counted(detail.questions.length, 'question')}`
        }${pages > 1 ? `, page ${page + 1} of ${pages}` : ''}
      </p>
      ${
        rows.length === 0
          ? html`<p class="panel none">No questions match.</p>`
          : html`<div class="scroll" tabindex="0" role="group" aria-label="Questions and answers">
              <table>
                <thead>
                  <tr>
                    <th scope="col" class="question">Question</th>
                    ${versions.map(({ name }) => html`<th scope="col">${safeText(name)}</th>`)}
                  </tr>
                </thead>
                <tbody @keydown=${this.#keys}>
                  ${rows.map((i) => this.#row(i))}
                </tbody>
              </table>
            </div>`
      }
      ${pages > 1 ? this.#pager(page, pages) : nothing}
    </section>`;
  }

  #row(i: number) {
    const { detail, comparison } = this;
    const { question, answer, topic, difficulty } = detail.questions[i]!;
    const change = comparison?.changes[i];
    const same = detail.votes[i] === 'same';
    return html`<tr>
      <th scope="row" class="question">
        <span class="number">${i + 1}</span>
        ${[topic, difficulty].map((tag) => (tag === '' ? nothing : html`<span class="tag">${safeText(tag)}</span>`))}
        ${change && change !== 'same' ? html`<span class="tag ${change}">${CHANGES[change]}</span>` : nothing}
        ${this.#trained(i)}
        <p class="text">${safeText(question)}</p>
        ${
          answer.trim() === ''
            ? nothing
            : html`<p class="label">Expected</p>
                <p class="text expected">${safeText(answer)}</p>`
        }
        ${
          this.#canVote(i)
            ? html`<button
                type="button"
                class="vote"
                aria-pressed=${same}
                @click=${() => this.#vote(i, same ? undefined : 'same')}
              >
                ${same ? '✓ ' : ''}Equally good<span class="only-heard"> in question ${i + 1}</span>
              </button>`
            : nothing
        }
      </th>
      ${detail.versions.map((_, version) => this.#cell(i, version))}
    </tr>`;
  }

  /** Which versions were trained on the question. */
  #trained(i: number) {
    const { trained, record } = this.detail;
    const names = trained[i]?.versions.map((version) => record.versions[version]!.name);
    return names
      ? html`<span class="tag trained">${safeText(`trained into ${names.join(', ')}`)}</span>`
      : nothing;
  }

  /** Whether there are answers to choose among. */
  #canVote(i: number): boolean {
    const answers = this.detail.versions.map(({ answers }) => answers[i]);
    return answers.filter((answer) => answer && answer.error === undefined).length > 1;
  }

  #cell(i: number, version: number) {
    const { record, versions, votes } = this.detail;
    const { name, state: versionState } = record.versions[version]!;
    const answer = versions[version]!.answers[i];
    if (!answer) {
      return html`<td>
        <p class="label version">${safeText(name)}</p>
        <p class="soft small">${versionState === 'failed' ? 'not tested' : 'no answer yet'}</p>
      </td>`;
    }
    if (answer.error !== undefined) {
      return html`<td>
        <p class="label version">${safeText(name)}</p>
        <p class="soft small">${safeText(answer.error)}</p>
      </td>`;
    }
    const mine = votes[i] === version;
    const shown = html`${this.#text(answer.text, this.#reference(i, version))}
      <p class="facts numbers">${facts(versions[version]!.scores[i], answer)}</p>`;
    const best = this.#canVote(i)
      ? html`<button
          type="button"
          class="vote"
          slot="beside"
          aria-pressed=${mine}
          @click=${() => this.#vote(i, mine ? undefined : version)}
        >
          ${mine ? '✓ ' : ''}Best<span class="only-heard"> of question ${i + 1}: ${safeText(name)}</span>
        </button>`
      : nothing;
    return html`<td>
      <p class="label version">${safeText(name)}</p>
      ${this.tray ? this.#correctable(i, version, [shown, best]) : [shown, best]}
    </td>`;
  }

  /** The answer, with a way to correct it. */
  #correctable(i: number, version: number, shown: unknown) {
    const { tray = [], detail } = this;
    const { text } = detail.versions[version]!.answers[i]!;
    const { question, answer: expected } = detail.questions[i]!;
    const names = detail.record.versions.map(({ name }) => name);
    const kept = correctionOf(tray, { question });
    // What was corrected in another test stands at the last version.
    const at = kept && (names.includes(kept.version) ? names.indexOf(kept.version) : names.length - 1);
    const own = at === version ? kept : undefined;
    const correct = ({ detail: words }: CustomEvent<KeptCorrection>) =>
      this.#fire('correct', { question, version: names[version]!, ...words } satisfies Omit<
        Correction,
        'changed'
      >);
    return html`<answer-correction
      .answer=${splitThoughts(text).answer}
      .expected=${expected}
      .correction=${own}
      .trainedIn=${own?.trainedIn?.name ?? ''}
      .subject=${`question ${i + 1}, ${names[version]}`}
      @keep=${correct}
      @remove=${() => this.#fire('uncorrect', question)}
      >${shown}</answer-correction
    >`;
  }

  /** Line breaks count here, so the template has none of its own. */
  #text(whole: string, reference: Reference | undefined) {
    const { thoughts, answer } = splitThoughts(whole);
    return html`${
      thoughts
        ? html`<details class="thoughts">
            <summary>Thoughts, not scored</summary>
            <p class="text">${safeText(thoughts)}</p>
          </details>`
        : nothing
    }${this.#answer(answer, reference)}`;
  }

  #answer(text: string, reference: Reference | undefined) {
    if (text === '') {
      return html`<p class="text soft">(nothing)</p>`;
    }
    const marked = guard([text, reference?.text, reference?.against], () =>
      reference === undefined
        ? safeText(text)
        : markedText(wordDiff(reference.text, text), reference.against),
    );
    return html`<p class="text">${marked}</p>`;
  }

  /** The text that an answer's differences are marked against. */
  #reference(i: number, version: number): Reference | undefined {
    const { questions, versions } = this.detail;
    const expected = questions[i]!.answer;
    if (this.marks === 'none') {
      return undefined;
    }
    if (this.marks === 'expected' && expected.trim() !== '') {
      return { text: splitThoughts(expected).answer, against: 'expected' };
    }
    const [first] = this.comparison?.versions ?? [0];
    const text = versions[first]!.answers[i]?.text;
    return version === first || text === undefined
      ? undefined
      : { text: splitThoughts(text).answer, against: 'other' };
  }

  #pager(page: number, pages: number) {
    const go = (to: number) => {
      this.page = to;
      this.heading.scrollIntoView({ block: 'start' });
    };
    return html`<nav class="row pager" aria-label="Pages of questions">
      <button type="button" ?disabled=${page === 0} @click=${() => go(page - 1)}>Previous</button>
      <span class="small numbers">Page ${page + 1} of ${pages}</span>
      <button type="button" ?disabled=${page === pages - 1} @click=${() => go(page + 1)}>Next</button>
    </nav>`;
  }

  #vote(question: number, vote: Vote | undefined): void {
    this.#fire('vote', { question, vote });
  }

  #fire(name: string, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  /** In the row of a question: the answer of the cell, or the last one. */
  readonly #keys = (event: KeyboardEvent): void =>
    editOnE(event, (target) => {
      const own = target.closest('td')?.querySelector<AnswerCorrection>('answer-correction');
      const all = target.closest('tr')?.querySelectorAll<AnswerCorrection>('answer-correction');
      return own ?? all?.[all.length - 1] ?? null;
    });

  readonly #print = ({ type }: Event): void => {
    this.printing = type === 'beforeprint';
  };
}

function facts(
  scores: Scores | undefined,
  { outputTokens, stopped }: { outputTokens: number; stopped: string },
): string {
  const judged = scores
    ? scores.exact
      ? ['✓ exact']
      : [`F1 ${scores.tokenF1.toFixed(2)}`, `ROUGE-L ${scores.rougeL.toFixed(2)}`]
    : [];
  return [...judged, counted(outputTokens, 'token'), ...(stopped === 'stop id' ? [] : ['cut'])].join(' · ');
}
