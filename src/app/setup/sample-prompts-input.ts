import { css, html, LitElement, nothing } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import type { Answer } from '../../engine/protocol/protocol.ts';
import type { Setting } from '../../formats/setting.ts';
import { safeText } from '../shared/safe-text.ts';
import { shared } from '../shared/styles.ts';

/** Where prompts can be taken from. */
export interface PromptPlace {
  label: string;
  take: (most: number) => Promise<Answer<string[]>>;
}

/** How many are taken at once. */
const TAKEN = 4;

/** A list of prompts, typed or taken from a file; fires `edited` with them as JSON as its detail. */
@customElement('sample-prompts-input')
export class SamplePromptsInput extends LitElement {
  @property({ attribute: false }) field!: Setting & { kind: 'texts' };
  /** JSON. */
  @property() value = '';
  @property() problem = '';
  @property({ type: Boolean }) locked = false;
  @property({ attribute: false }) places: readonly PromptPlace[] = [];
  /** As typed: some may still be empty. */
  @state() private prompts: readonly string[] = [];
  @state() private taking = false;
  /** Why nothing could be taken. */
  @state() private refused = '';

  static override styles = [
    shared,
    css`
      :host {
        display: block;
        grid-column: 1 / -1;
      }
      fieldset {
        border: 0;
        margin: 0;
        padding: 0;
        min-width: 0;
        display: grid;
        gap: 0.4rem;
      }
      legend {
        padding: 0;
        font-size: var(--small);
        font-weight: 550;
        margin-bottom: 0.2rem;
      }
      .prompt {
        display: grid;
        grid-template-columns: minmax(0, 1fr) auto;
        gap: 0.6rem;
        align-items: start;
      }
      textarea {
        field-sizing: content;
        min-height: 2.25rem;
        max-height: 10rem;
        resize: vertical;
      }
      p {
        font-size: var(--tiny);
        color: var(--ink-soft);
        line-height: 1.35;
      }
      p.problem {
        color: var(--bad);
      }
    `,
  ];

  override willUpdate(changed: Map<string, unknown>): void {
    if (changed.has('value') && this.value !== this.#text) {
      this.prompts = promptsOf(this.value);
    }
  }

  override render() {
    const { field, prompts, locked, places } = this;
    const isFull = prompts.length >= field.most;
    const problem = this.problem || this.refused;
    return html`<fieldset aria-describedby="note">
      <legend>${field.label}</legend>
      ${prompts.map(
        (prompt, i) =>
          html`<div class="prompt">
            <textarea
              rows="1"
              name=${`${field.key}-${i + 1}`}
              aria-label=${`Prompt ${i + 1}`}
              maxlength=${field.longest}
              .value=${prompt}
              ?disabled=${locked}
              @input=${(event: Event) => this.#type(i, (event.target as HTMLTextAreaElement).value)}
            ></textarea>
            <button type="button" class="link" ?disabled=${locked} @click=${() => this.#remove(i)}>
              Remove<span class="only-heard"> prompt ${i + 1}</span>
            </button>
          </div>`,
      )}
      <div class="row">
        <button type="button" class="add" ?disabled=${locked || isFull} @click=${this.#add}>
          Add a prompt
        </button>
        ${places.map(
          (place) =>
            html`<button
              type="button"
              ?disabled=${locked || isFull || this.taking}
              @click=${() => void this.#take(place)}
            >
              ${place.label}
            </button>`,
        )}
      </div>
      <p id="note" class=${problem ? 'problem' : nothing} aria-live="polite">
        ${problem ? safeText(problem) : `${field.hint}; up to ${field.most}, none by default`}
      </p>
    </fieldset>`;
  }

  /** The prompts that count. */
  get #text(): string {
    const typed = this.prompts.filter((prompt) => prompt.trim() !== '');
    return typed.length === 0 ? '' : JSON.stringify(typed);
  }

  #edit(prompts: readonly string[]): void {
    this.prompts = prompts;
    this.refused = '';
    this.dispatchEvent(new CustomEvent('edited', { detail: this.#text }));
  }

  #type(index: number, text: string): void {
    this.#edit(this.prompts.map((prompt, i) => (i === index ? text : prompt)));
  }

  readonly #add = (): void => {
    this.prompts = [...this.prompts, ''];
    void this.#focus(this.prompts.length - 1);
  };

  #remove(index: number): void {
    this.#edit(this.prompts.filter((_, i) => i !== index));
    void this.#focus(Math.min(index, this.prompts.length - 1));
  }

  async #take({ take }: PromptPlace): Promise<void> {
    this.taking = true;
    const answer = await take(TAKEN);
    this.taking = false;
    if (!answer.ok) {
      this.refused = answer.sentence;
      return;
    }
    const typed = this.prompts.filter((prompt) => prompt.trim() !== '');
    this.#edit([...new Set([...typed, ...answer.value])].slice(0, this.field.most));
  }

  /** Moves the focus to a prompt, or to the button that adds one. */
  async #focus(index: number): Promise<void> {
    await this.updateComplete;
    const prompts = this.renderRoot.querySelectorAll<HTMLElement>('textarea');
    (prompts[index] ?? this.renderRoot.querySelector<HTMLElement>('.add'))?.focus();
  }
}

function promptsOf(json: string): readonly string[] {
  try {
    const prompts: unknown = JSON.parse(json || '[]');
    return Array.isArray(prompts) ? prompts.filter((prompt) => typeof prompt === 'string') : [];
  } catch {
    return [];
  }
}
