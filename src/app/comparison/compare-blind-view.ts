import { css, html, LitElement, nothing } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { splitThoughts } from '../../comparison/thoughts.ts';
import type { TestComparison, TestDetail, Vote } from '../../engine/protocol/comparison.ts';
import { counted } from '../../formats/words.ts';
import { safeText } from '../shared/safe-text.ts';
import { shared } from '../shared/styles.ts';
import { voteResultOf } from '../shared/vote-result.ts';
import { blindQuestions, blindSides } from './blind-order.ts';

/**
 * Votes on the answers of two versions, one question at a time and without their names until the vote. Fires `vote`
 * with {question, vote}.
 */
@customElement('compare-blind-view')
export class CompareBlindView extends LitElement {
  @property({ attribute: false }) detail!: TestDetail;
  @property({ attribute: false }) comparison!: TestComparison;
  /** The question that is shown; undefined while none is. */
  @state() private question: number | undefined;
  /** What was voted on it: the names are shown. */
  @state() private voted: Vote | undefined;
  #skipped: readonly number[] = [];
  #between = '';

  static override styles = [
    shared,
    css`
      /* Empty, it takes no gap. */
      :host {
        display: contents;
      }
      .panel,
      .result {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: 0.7rem;
      }
      .result {
        grid-template-columns: minmax(0, 1fr) minmax(0, 18rem);
        align-items: center;
        gap: 0.4rem 1.5rem;
        font-size: var(--small);
      }
      .question {
        font-weight: 550;
        border-left: 3px solid var(--accent);
        padding-left: 0.75rem;
      }
      .text {
        white-space: pre-wrap;
        overflow-wrap: anywhere;
        unicode-bidi: isolate;
      }
      .sides {
        display: grid;
        grid-template-columns: repeat(auto-fit, minmax(min(16rem, 100%), 1fr));
        gap: 0.75rem;
      }
      article {
        background: var(--sunken);
        border-radius: var(--radius-small);
        padding: 0.7rem 0.9rem;
        min-width: 0;
      }
      h4 {
        font-size: var(--tiny);
        color: var(--ink-soft);
        margin-bottom: 0.3rem;
      }
      @media (max-width: 44rem) {
        .result {
          grid-template-columns: minmax(0, 1fr);
        }
      }
      @media print {
        :host {
          display: none;
        }
      }
    `,
  ];

  get #left(): readonly number[] {
    const all = blindQuestions(this.detail, this.comparison.versions);
    return all.filter((question) => !this.#skipped.includes(question));
  }

  /** A ballot is of one test and two versions. */
  override willUpdate(): void {
    const between = `${this.detail.record.id} ${this.comparison.versions.join()}`;
    if (this.#between !== between) {
      this.#between = between;
      this.#skipped = [];
      this.question = this.voted = undefined;
    }
  }

  override render() {
    const left = this.#left;
    const result = this.#result();
    if (left.length === 0 && result === nothing) {
      return nothing;
    }
    return html`<section class="panel" aria-labelledby="blind">
      <h3 id="blind" tabindex="-1">Blind vote</h3>
      ${result} ${this.question === undefined ? this.#offer(left) : this.#ballot(this.question)}
    </section>`;
  }

  /** How the votes between the two fell. */
  #result() {
    const { versions, votes } = this.comparison;
    const [a, b] = versions.map((version) => this.#name(version)) as [string, string];
    const result = voteResultOf([a, b], votes);
    return result === nothing ? nothing : html`<div class="result">${result}</div>`;
  }

  #offer(left: readonly number[]) {
    return left.length === 0
      ? html`<p class="soft small">All that the two answered differently is voted on.</p>`
      : html`<div class="row">
          <button type="button" @click=${() => void this.#next()}>Vote blind</button>
          <span class="soft small">
            ${counted(left.length, 'question')} that the two answered differently; you see which is which
            after each vote.
          </span>
        </div>`;
  }

  #ballot(question: number) {
    const { questions, versions } = this.detail;
    const sides = blindSides(this.detail.record.id, question, this.comparison.versions);
    const { voted } = this;
    const hidden = voted === undefined;
    const { question: text, answer: expected } = questions[question]!;
    return html`<p class="question text">${safeText(text)}</p>
      ${
        expected.trim() === ''
          ? nothing
          : html`<p class="soft small text">Expected: ${safeText(splitThoughts(expected).answer)}</p>`
      }
      <div class="sides">
        ${sides.map((version, i) => {
          const name = hidden ? '' : `: ${this.#name(version)}${voted === version ? ' ✓ your vote' : ''}`;
          const answer = splitThoughts(versions[version]!.answers[question]!.text).answer;
          return html`<article>
            <h4>${'AB'[i]}${safeText(name)}</h4>
            <p class="text">${answer === '' ? '(nothing)' : safeText(answer)}</p>
          </article>`;
        })}
      </div>
      <div class="row" role="group" aria-label=${`Your vote on question ${question + 1}`}>
        ${
          hidden
            ? html`${sides.map(
                  (version, i) =>
                    html`<button type="button" @click=${() => void this.#vote(version)}>
                      ${'AB'[i]} is better
                    </button>`,
                )}
                <button type="button" @click=${() => void this.#vote('same')}>Equally good</button>
                <button type="button" class="link" @click=${() => this.#skip(question)}>Skip</button>`
            : html`<button type="button" @click=${() => void this.#next()}>Next question</button>`
        }
        <button type="button" class="link" @click=${() => void this.#end()}>Stop voting</button>
      </div>`;
  }

  #name(version: number): string {
    return this.detail.record.versions[version]!.name;
  }

  async #vote(vote: Vote): Promise<void> {
    const { question } = this;
    this.voted = vote;
    this.dispatchEvent(new CustomEvent('vote', { detail: { question, vote } }));
    await this.#focus('.row button');
  }

  #skip(question: number): void {
    this.#skipped = [...this.#skipped, question];
    void this.#next();
  }

  async #next(): Promise<void> {
    this.voted = undefined;
    [this.question] = this.#left;
    await this.#focus(this.question === undefined ? '#blind' : '.row button');
  }

  async #end(): Promise<void> {
    this.question = this.voted = undefined;
    this.#skipped = [];
    await this.#focus('#blind');
  }

  async #focus(place: string): Promise<void> {
    await this.updateComplete;
    this.renderRoot.querySelector<HTMLElement>(place)?.focus();
  }
}
