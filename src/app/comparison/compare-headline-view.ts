import '../elements/interval-plot.ts';
import { css, html, LitElement, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import type { GroupChange } from '../../comparison/headline.ts';
import type { TestComparison } from '../../engine/protocol/comparison.ts';
import { counted } from '../../formats/words.ts';
import { safeText } from '../shared/safe-text.ts';
import { shared } from '../shared/styles.ts';
import { type AnswerFilter, headlineWords, points, regressions } from './comparison.ts';

const TONES = { improved: 'good', worse: 'bad', 'no clear difference': 'unclear' } as const;
const MARKS = { improved: '↑', worse: '↓', 'no clear difference': '≈' } as const;

/** The figure at the top: is the second version better, by how much, how sure, and where not. Fires `show` with a filter. */
@customElement('compare-headline-view')
export class CompareHeadlineView extends LitElement {
  @property({ attribute: false }) names: readonly string[] = [];
  @property({ attribute: false }) comparison!: TestComparison;
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
        grid-template-columns: auto minmax(0, 1fr) minmax(14rem, 22rem);
        gap: 0.75rem 1.5rem;
        align-items: start;
        border-left: 5px solid var(--tone, var(--line-strong));
      }
      .good {
        --tone: var(--good);
      }
      .bad {
        --tone: var(--bad);
      }
      .figure {
        font-size: 2.25rem;
        line-height: 1.1;
        font-weight: 700;
        letter-spacing: -0.03em;
        color: var(--tone, var(--ink));
        white-space: nowrap;
      }
      .figure small {
        display: block;
        font-size: var(--tiny);
        font-weight: 500;
        letter-spacing: 0;
        color: var(--ink-soft);
      }
      h3 {
        font-size: 1.25rem;
        overflow-wrap: anywhere;
      }
      .words,
      .plot {
        display: grid;
        gap: 0.4rem;
      }
      .more {
        grid-column: 1 / -1;
        border-top: 1px solid var(--line);
        padding-top: 0.75rem;
        display: grid;
        gap: 0.4rem;
        font-size: var(--small);
      }
      @media (max-width: 56rem) {
        .panel {
          grid-template-columns: minmax(0, 1fr);
        }
      }
      @media print {
        button {
          display: none;
        }
      }
    `,
  ];

  override render() {
    const { headline } = this.comparison;
    const [a, b] = this.names as [string, string];
    if (!headline) {
      return html`<section class="panel" aria-labelledby="title">
        <span class="figure" aria-hidden="true">?</span>
        <div class="words">
          <h3 id="title">No score to compare</h3>
          <p class="soft">
            None of the questions that both have answered has an expected answer: read the answers side by
            side below, and vote.
          </p>
        </div>
        ${this.#more()}
      </section>`;
    }
    const { verdict, difference, interval, metric } = headline;
    const { title, lines } = headlineWords(headline, [a, b]);
    return html`<section class="panel ${TONES[verdict]}" aria-labelledby="title">
      <p class="figure numbers">
        <span aria-hidden="true">${MARKS[verdict]}</span> ${points(difference)}
        <small>points of ${metric}</small>
      </p>
      <div class="words">
        <h3 id="title">
          ${safeText(title)}${this.partial ? html` <span class="soft">(so far)</span>` : nothing}
        </h3>
        ${lines.map((line) => html`<p>${safeText(line)}</p>`)}
      </div>
      <div class="plot">
        <interval-plot
          .value=${difference}
          .interval=${interval}
          .tone=${TONES[verdict]}
          .label=${`Difference ${points(difference)} points, 95% interval from ${points(interval[0])} to ${points(interval[1])}.`}
          .worse=${`${a} better`}
          .better=${`${b} better`}
        ></interval-plot>
        <p class="soft small">
          95% bootstrap interval: ${counted(headline.questions, 'question')},
          ${headline.resamples.toLocaleString('en-US')} resamples.
        </p>
      </div>
      ${this.#more()}
    </section>`;
  }

  /** Where it got worse, and how the votes fell. */
  #more() {
    const { changes, topics, difficulties, votes, headline } = this.comparison;
    const count = (change: 'better' | 'worse') => changes.filter((c) => c === change).length;
    const [better, worse] = [count('better'), count('worse')];
    const [a, b] = this.names as [string, string];
    const fell = (groups: readonly GroupChange[]) =>
      regressions(groups)
        .filter(({ name }) => name !== '')
        .map(
          ({ name, difference, questions }) =>
            `${name} (${points(difference)} points, ${counted(questions, 'question')})`,
        );
    const where = [...fell(topics), ...fell(difficulties)];
    const voted = votes.a + votes.b + votes.same;
    if (!headline && voted === 0 && !this.comparison.untrained) {
      return nothing;
    }
    return html`<div class="more">
      ${this.#untrained(b)}
      ${
        headline
          ? html`<p class="row">
              <span
                >${safeText(b)} is better on ${better > 0 ? counted(better, 'question') : 'none'} and worse on
                ${worse > 0 ? counted(worse, 'question') : 'none'}.</span
              >
              ${better > 0 ? this.#link('better', `Show where ${b} got better`) : nothing}
              ${worse > 0 ? this.#link('worse', `Show where ${b} got worse`) : nothing}
            </p>`
          : nothing
      }
      ${
        headline
          ? html`<p>
              <b>Where it regressed:</b>
              ${where.length > 0 ? safeText(`${where.join('; ')}.`) : 'in no topic and no difficulty.'}
            </p>`
          : nothing
      }
      ${
        voted > 0
          ? html`<p>
              <b>Your votes:</b>
              ${safeText(`${b} ${votes.b}, ${a} ${votes.a}, equally good ${votes.same}.`)}
            </p>`
          : nothing
      }
    </div>`;
  }

  /** The figure over what neither of the two was trained on. */
  #untrained(b: string) {
    const { untrained } = this.comparison;
    if (!untrained) {
      return nothing;
    }
    const { headline, leftOut } = untrained;
    const without = `Without the ${counted(leftOut, 'question')} that ${leftOut === 1 ? 'was' : 'were'} corrected and trained on`;
    if (!headline) {
      return html`<p><b>${without}:</b> none is left to compare.</p>`;
    }
    const [low, high] = headline.interval;
    const verdict = {
      improved: 'is better',
      worse: 'is worse',
      'no clear difference': 'shows no clear difference',
    };
    const figures = `${points(headline.difference)} points of ${headline.metric} over ${counted(headline.questions, 'question')} (95% interval from ${points(low)} to ${points(high)}).`;
    return html`<p>
      <b>${without}:</b> ${safeText(`${b} ${verdict[headline.verdict]}, ${figures}`)}
      ${this.#link('untrained', 'Show these')}
    </p>`;
  }

  #link(show: AnswerFilter['show'], text: string) {
    return html`<button
      type="button"
      class="link"
      @click=${() => this.dispatchEvent(new CustomEvent('show', { detail: { show } }))}
    >
      ${safeText(text)}
    </button>`;
  }
}
