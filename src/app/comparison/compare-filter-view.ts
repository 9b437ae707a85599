import { css, html, LitElement, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import type { TestDetail } from '../../engine/protocol/comparison.ts';
import { visibleText } from '../../formats/visible-text.ts';
import { shared } from '../shared/styles.ts';
import { type AnswerFilter, everything, type Marks } from './comparison.ts';

/** Which questions are shown, in what order, and what is marked. Fires `filter` and `marks`. */
@customElement('compare-filter-view')
export class CompareFilterView extends LitElement {
  @property({ attribute: false }) detail!: TestDetail;
  @property({ attribute: false }) filter: AnswerFilter = everything;
  @property() marks: Marks = 'expected';
  /** Name of the version that is compared with another; undefined where none is. */
  @property() second?: string | undefined;
  /** Whether the second one was trained on corrections of the first. */
  @property({ type: Boolean }) mended = false;

  static override styles = [
    shared,
    css`
      :host {
        display: block;
        margin-top: 0.5rem;
      }
      .fields {
        display: grid;
        grid-template-columns: repeat(auto-fit, minmax(min(10.5rem, 100%), 1fr));
        gap: 0.6rem 0.9rem;
      }
      label {
        display: block;
        font-size: var(--tiny);
        color: var(--ink-soft);
      }
    `,
  ];

  override render() {
    const { filter, second, detail } = this;
    const topics = [...new Set(detail.questions.map(({ topic }) => topic))];
    const difficulties = [...new Set(detail.questions.map(({ difficulty }) => difficulty))];
    const compared: (readonly [AnswerFilter['show'], string])[] = second
      ? [
          ['worse', `${second} got worse`],
          ['better', `${second} got better`],
        ]
      : [];
    const sorted: (readonly [AnswerFilter['sort'], string])[] = second
      ? [
          ['fell', `${second} fell most first`],
          ['rose', `${second} rose most first`],
        ]
      : [];
    const several = detail.versions.length > 1;
    const trained: (readonly [AnswerFilter['show'], string])[] = detail.trained.some(Boolean)
      ? [
          ['trained', 'Trained on'],
          ['untrained', 'Not trained on'],
          ...(this.mended
            ? ([
                ['mended', 'Mended'],
                ['unmended', 'Not mended'],
                ['kept', 'Approved and kept'],
                ['lost', 'Lost'],
              ] as const)
            : []),
        ]
      : [];
    return html`<div class="fields" role="search" aria-label="Questions">
      <label
        >Search
        <input
          type="search"
          .value=${filter.text}
          @input=${(event: Event) => this.#change({ text: (event.target as HTMLInputElement).value })}
        />
      </label>
      ${this.#select<AnswerFilter['show']>(
        'Show',
        [
          ['all', 'All questions'],
          ...compared,
          ...(several
            ? ([
                ['differ', 'Answers differ'],
                ['unvoted', 'Not voted on yet'],
              ] as const)
            : []),
          ...trained,
        ],
        filter.show,
        (show) => this.#change({ show }),
      )}
      ${topics.length > 1 ? this.#names('Topic', topics, filter.topic, (topic) => this.#change({ topic })) : nothing}
      ${
        difficulties.length > 1
          ? this.#names('Difficulty', difficulties, filter.difficulty, (difficulty) =>
              this.#change({ difficulty }),
            )
          : nothing
      }
      ${this.#select<AnswerFilter['sort']>(
        'Order',
        [['file', 'As in the file'], ...sorted, ['longest', 'Longest answers first']],
        filter.sort,
        (sort) => this.#change({ sort }),
      )}
      ${this.#select<Marks>(
        'Marked',
        [
          ['expected', 'Against expected'],
          ...(several ? ([['first', 'Between versions']] as const) : []),
          ['none', 'Nothing'],
        ],
        this.marks,
        (marks) => this.dispatchEvent(new CustomEvent('marks', { detail: marks })),
      )}
    </div>`;
  }

  /** All of the names, or one. */
  #names(
    label: string,
    names: readonly string[],
    chosen: string | undefined,
    choose: (name: string | undefined) => void,
  ) {
    const options = names.map(
      (name, i) => [String(i), name === '' ? 'not named' : visibleText(name)] as const,
    );
    const at = chosen === undefined ? 'all' : String(names.indexOf(chosen));
    return this.#select(label, [['all', 'All'], ...options], at, (value) =>
      choose(value === 'all' ? undefined : names[Number(value)]),
    );
  }

  #select<T extends string>(
    label: string,
    options: readonly (readonly [value: T, text: string])[],
    chosen: T,
    choose: (value: T) => void,
  ) {
    const id = label.toLowerCase();
    return html`<div>
      <label for=${id}>${label}</label>
      <select id=${id} @change=${(event: Event) => choose((event.target as HTMLSelectElement).value as T)}>
        ${options.map(([value, text]) => html`<option value=${value} ?selected=${value === chosen}>${text}</option>`)}
      </select>
    </div>`;
  }

  #change(patch: Partial<AnswerFilter>): void {
    this.dispatchEvent(new CustomEvent('filter', { detail: { ...this.filter, ...patch } }));
  }
}
