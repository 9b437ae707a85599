import { css, html, LitElement } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import type { TestDetail, TestedVersion, VersionResults } from '../../engine/protocol/comparison.ts';
import { showCount, showNumber } from '../../formats/words.ts';
import { safeText } from '../shared/safe-text.ts';
import { shared } from '../shared/styles.ts';
import { figureTable } from './compare-styles.ts';
import { percent } from './comparison.ts';

interface Column {
  name: string;
  title: string;
  show: (results: VersionResults, version: TestedVersion) => string;
}

const share = (value: number | undefined): string => (value === undefined ? '–' : value.toFixed(3));

const COLUMNS: readonly Column[] = [
  {
    name: 'Exact',
    title: 'Answers equal to the expected one, ignoring white space',
    show: ({ summary: { exactRate, exactMatches } }) =>
      exactRate === undefined ? '–' : `${percent(exactRate)} (${exactMatches})`,
  },
  {
    name: 'Token F1',
    title: 'Words shared with the expected answer, from 0 to 1',
    show: ({ summary }) => share(summary.tokenF1),
  },
  {
    name: 'ROUGE-L',
    title: 'Words in the same order as in the expected answer, from 0 to 1',
    show: ({ summary }) => share(summary.rougeL),
  },
  {
    name: 'Tokens',
    title: 'Mean length of an answer',
    show: ({ summary: { questions, outputTokens } }) => (questions === 0 ? '–' : outputTokens.toFixed(1)),
  },
  {
    name: 'Cut',
    title: 'Answers that reached the length limit; the others ended by themselves',
    show: ({ summary: { cut, questions } }) => `${showCount(cut)} of ${showCount(questions)}`,
  },
  {
    name: 'Eval loss',
    title: 'Mean token loss over the validation rows',
    show: (_, { evalLoss }) => (evalLoss ? showNumber(evalLoss.loss) : '–'),
  },
  {
    name: 'Perplexity',
    title: 'exp(eval loss)',
    show: (_, { evalLoss }) => (evalLoss ? evalLoss.perplexity.toFixed(2) : '–'),
  },
];

/** The scores of each version, one row each. */
@customElement('compare-summary-view')
export class CompareSummaryView extends LitElement {
  @property({ attribute: false }) detail!: TestDetail;

  static override styles = [
    shared,
    css`
      :host {
        display: block;
      }
      h3 {
        margin-bottom: 0.4rem;
      }
      h3 .soft {
        font-weight: 400;
      }
    `,
    figureTable,
  ];

  override render() {
    const { record, versions, questions } = this.detail;
    const scored = questions.filter(({ answer }) => answer.trim() !== '').length;
    return html`<section class="panel" aria-labelledby="summary">
      <h3 id="summary">
        Version by version
        <span class="soft small">· ${scored} of ${questions.length} questions have an expected answer</span>
      </h3>
      <div class="scroll" tabindex="0" role="group" aria-labelledby="summary">
        <table class="figures numbers">
          <thead>
            <tr>
              <th scope="col">Version</th>
              ${COLUMNS.map(({ name, title }) => html`<th scope="col" title=${title}>${name}</th>`)}
            </tr>
          </thead>
          <tbody>
            ${record.versions.map((version, i) => {
              const results = versions[i]!;
              const { untrained } = results;
              // The losses are of other rows.
              const rest = untrained && { ...results, summary: untrained };
              const row = (name: unknown, of: VersionResults, about: TestedVersion) =>
                html`<tr>
                  <th scope="row">${name}</th>
                  ${COLUMNS.map(({ show }) => html`<td>${show(of, about)}</td>`)}
                </tr>`;
              const without = html`<span class="soft"
                >${safeText(version.name)}, without questions trained on</span
              >`;
              return [
                row(safeText(version.name), results, version),
                ...(rest ? [row(without, rest, { ...version, evalLoss: undefined })] : []),
              ];
            })}
          </tbody>
        </table>
      </div>
    </section>`;
  }
}
