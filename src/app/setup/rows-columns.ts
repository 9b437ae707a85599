import { css, html, LitElement, nothing, type PropertyValues } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { type ColumnKey, type Columns, columnsProblem, ROW_SHAPES } from '../../text/columns.ts';
import { safeText } from '../shared/safe-text.ts';
import { shared } from '../shared/styles.ts';

/** What a row can be made of, in the order of `ROW_SHAPES`. */
const SHAPES = ['Conversations', 'Questions and answers', 'Prompts and completions (plain text)', 'Text'];
const LABELS: Readonly<Record<ColumnKey, string>> = {
  instruction: 'Question',
  input: 'Context',
  output: 'Answer',
  prompt: 'Prompt',
  completion: 'Completion',
  messages: 'Turns',
  text: 'Text',
  system: 'System text',
  tools: 'Tools',
};
const QUESTIONS = 1;

/** Which column of a table is read as what. Fires `columns` once all that are needed are chosen. */
@customElement('rows-columns')
export class RowsColumns extends LitElement {
  @property({ attribute: false }) names: readonly string[] = [];
  @property({ attribute: false }) columns: Columns | undefined;
  @property({ type: Boolean }) locked = false;
  @state() private shape = QUESTIONS;
  @state() private draft: Columns = {};

  static override styles = [
    shared,
    css`
      :host {
        display: block;
      }
      fieldset {
        border: 0;
        margin: 0;
        padding: 0;
        display: grid;
        gap: 0.4rem;
      }
      legend {
        padding: 0;
        margin-bottom: 0.3rem;
        font-size: var(--small);
        color: var(--ink-soft);
      }
      label {
        display: grid;
        grid-template-columns: minmax(4.5rem, 1fr) minmax(0, 2fr);
        gap: 0.5rem;
        align-items: center;
        font-size: var(--small);
      }
      select {
        min-width: 0;
        width: 100%;
      }
    `,
  ];

  override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('columns') || changed.has('names')) {
      const { columns = {} } = this;
      this.draft = columns;
      const shape = ROW_SHAPES.findIndex(({ needs }) => needs.every((key) => columns[key] !== undefined));
      this.shape = shape >= 0 ? shape : QUESTIONS;
    }
  }

  override render() {
    const { needs, may } = ROW_SHAPES[this.shape]!;
    const missing = columnsProblem(this.draft) !== undefined;
    return html`<fieldset ?disabled=${this.locked}>
      <legend>Columns</legend>
      <label
        >Rows are
        <select name="shape" @change=${this.#reshape}>
          ${SHAPES.map((name, i) => html`<option value=${i} ?selected=${i === this.shape}>${name}</option>`)}
        </select></label
      >
      ${needs.map((key) => this.#choice(key, 'choose a column'))}
      ${may.map((key) => this.#choice(key, 'none'))}
      ${missing ? html`<p class="soft small" role="status">Choose a column for each.</p>` : nothing}
    </fieldset>`;
  }

  #choice(key: ColumnKey, none: string) {
    const chosen = this.draft[key];
    return html`<label
      >${LABELS[key]}
      <select name=${key} @change=${(event: Event) => this.#choose(key, event)}>
        <option value="" ?selected=${chosen === undefined}>${none}</option>
        ${this.names.map(
          (name, i) => html`<option value=${i} ?selected=${name === chosen}>${safeText(name)}</option>`,
        )}
      </select></label
    >`;
  }

  #choose(key: ColumnKey, event: Event): void {
    const { value } = event.target as HTMLSelectElement;
    const others = Object.entries(this.draft).filter(([other]) => other !== key);
    const name = value === '' ? undefined : this.names[Number(value)];
    this.#take(Object.fromEntries(name === undefined ? others : [...others, [key, name]]));
  }

  #reshape(event: Event): void {
    this.shape = Number((event.target as HTMLSelectElement).value);
    const { needs, may } = ROW_SHAPES[this.shape]!;
    const [question, answer] = [
      this.draft.instruction ?? this.draft.prompt,
      this.draft.output ?? this.draft.completion,
    ];
    const known: Columns = {
      ...this.draft,
      ...(question !== undefined && { instruction: question, prompt: question }),
      ...(answer !== undefined && { output: answer, completion: answer }),
    };
    this.#take(
      Object.fromEntries(
        [...needs, ...may].flatMap((key) => (known[key] === undefined ? [] : [[key, known[key]]])),
      ),
    );
  }

  #take(columns: Columns): void {
    this.draft = columns;
    if (columnsProblem(columns) === undefined) {
      this.dispatchEvent(new CustomEvent('columns', { detail: columns }));
    }
  }
}
