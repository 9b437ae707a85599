import { css, html, LitElement, nothing } from 'lit';
import { customElement, property, query, state } from 'lit/decorators.js';
import { correctionProblem, isApproval } from '../../corrections/correction.ts';
import { safeText } from '../shared/safe-text.ts';
import { shared } from '../shared/styles.ts';

/** What is kept of one answer: the words that should have been given. */
export interface KeptCorrection {
  was: string;
  answer: string;
}

/**
 * An answer, in its slot, that can be corrected in place: E or the button opens it, Ctrl+Enter keeps what was written,
 * Esc leaves it. What else can be done with it has the slot `beside`. Fires `keep` with a KeptCorrection, and `remove`.
 */
@customElement('answer-correction')
export class AnswerCorrection extends LitElement {
  /** The version's answer, without what stands apart from it. */
  @property() answer = '';
  /** What should have been answered, where the question says. */
  @property() expected = '';
  /** What was kept for its question, and whether a later version was trained on it: its name. */
  @property({ attribute: false }) correction?: KeptCorrection | undefined;
  @property() trainedIn = '';
  /** Whose answer to what, for readers that hear the buttons alone. */
  @property() subject = '';
  @property({ type: Boolean }) locked = false;
  @state() private editing = false;
  @state() private problem = '';
  /** What was written and neither kept nor thrown away. */
  private draft: string | undefined;
  @query('textarea') private box!: HTMLTextAreaElement;

  static override styles = [
    shared,
    css`
      :host {
        display: flex;
        flex-direction: column;
        min-width: 0;
      }
      slot:not([name]) {
        display: block;
        flex: 1;
      }
      textarea {
        display: block;
        min-height: 5rem;
        field-sizing: content;
        max-height: 24rem;
        resize: vertical;
        font-size: inherit;
        line-height: 1.5;
      }
      .row {
        gap: 0.4rem;
        margin-top: 0.4rem;
      }
      button {
        font-size: var(--tiny);
        min-height: 1.75rem;
        padding: 0.15rem 0.6rem;
      }
      .keep {
        border-color: var(--accent);
        color: var(--accent-strong);
        background: var(--accent-soft);
      }
      .problem {
        color: var(--bad);
        font-size: var(--small);
        margin-top: 0.3rem;
      }
      .kept {
        border-left: 3px solid var(--accent);
        background: var(--accent-soft);
        border-radius: 0 var(--radius-small) var(--radius-small) 0;
        padding: 0.4rem 0.6rem;
        margin: 0.4rem 0 0;
      }
      .label {
        font-size: var(--tiny);
        font-weight: 600;
      }
      .text {
        white-space: pre-wrap;
        overflow-wrap: anywhere;
        unicode-bidi: isolate;
      }
      kbd {
        font: inherit;
        color: var(--ink-soft);
        border: 1px solid var(--line);
        border-radius: 3px;
        padding: 0 0.25em;
        margin-left: 0.3em;
      }
      @media print {
        button {
          display: none;
        }
      }
    `,
  ];

  override render() {
    return this.editing ? this.#form() : html`<slot></slot>${this.#kept()}`;
  }

  /** Opens the answer for correction. */
  async edit(): Promise<void> {
    if (this.locked || this.editing) {
      return;
    }
    this.editing = true;
    this.problem = '';
    await this.updateComplete;
    this.box.value = this.draft ?? this.correction?.answer ?? this.answer;
    this.box.focus();
    this.box.setSelectionRange(this.box.value.length, this.box.value.length);
  }

  #form() {
    const { subject, problem, expected } = this;
    return html`<div @keydown=${this.#keys}>
      <textarea
        aria-label=${`What should have been answered: ${subject}`}
        aria-describedby="hint problem"
        aria-invalid=${problem !== ''}
        @input=${() => (this.problem = '')}
      ></textarea>
      <p class="problem" id="problem" role="alert">${problem}</p>
      <div class="row">
        <button type="button" class="keep" @click=${this.#keep}>Keep<kbd>Ctrl+Enter</kbd></button>
        <button type="button" @click=${this.#leave}>Leave<kbd>Esc</kbd></button>
        ${
          expected.trim() === ''
            ? nothing
            : html`<button type="button" @click=${this.#takeExpected}>Take the expected answer</button>`
        }
        <span class="only-heard" id="hint">Ctrl+Enter keeps it, Esc leaves it.</span>
      </div>
    </div>`;
  }

  /** The button to open stays the same element, so that the focus stays with it. */
  #kept() {
    const { correction, locked, subject } = this;
    const heard = html`<span class="only-heard"> ${safeText(subject)}</span>`;
    return html`${correction ? this.#words(correction) : nothing}
      <div class="row">
        <button
          type="button"
          class="open"
          ?disabled=${locked}
          aria-keyshortcuts="e"
          title="Write what should have been answered (E)"
          @click=${this.#edit}
        >
          ${correction ? 'Edit' : 'Correct'}${heard}
        </button>
        ${
          correction
            ? html`<button type="button" ?disabled=${locked} @click=${this.#remove}>Remove${heard}</button>`
            : nothing
        }
        <slot name="beside"></slot>
      </div>`;
  }

  #words(correction: KeptCorrection) {
    const approved = isApproval(correction);
    return html`<div class="kept">
      <p class="label">
        ${approved ? '✓ Approved' : 'Corrected'}${this.trainedIn ? html`, and trained into ${safeText(this.trainedIn)}` : nothing}
      </p>
      ${approved ? nothing : html`<p class="text">${safeText(correction.answer)}</p>`}
    </div>`;
  }

  readonly #edit = (): void => void this.edit();

  readonly #keys = (event: KeyboardEvent): void => {
    // What an input method composes is not ours yet.
    if (event.isComposing) {
      return;
    }
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      this.#keep();
    } else if (event.key === 'Escape') {
      event.preventDefault();
      event.stopPropagation();
      this.#leave();
    }
  };

  readonly #keep = (): void => {
    const answer = this.box.value;
    this.problem = correctionProblem(answer) ?? '';
    if (this.problem) {
      this.box.focus();
      return;
    }
    this.draft = undefined;
    this.#fire('keep', { was: this.answer, answer } satisfies KeptCorrection);
    void this.#close();
  };

  readonly #leave = (): void => {
    const { value } = this.box;
    this.draft = value === (this.correction?.answer ?? this.answer) ? undefined : value;
    void this.#close();
  };

  readonly #takeExpected = (): void => {
    this.box.value = this.expected;
    this.problem = '';
    this.box.focus();
  };

  readonly #remove = (): void => {
    this.#fire('remove');
    void this.#close();
  };

  async #close(): Promise<void> {
    this.editing = false;
    await this.updateComplete;
    this.renderRoot.querySelector<HTMLElement>('.open')?.focus();
  }

  #fire(name: string, detail?: KeptCorrection): void {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

/** Opens the answer at which E was pressed. Listens where answers stand, in rows or in a chat. */
export function editOnE(event: KeyboardEvent, find: (target: Element) => AnswerCorrection | null): void {
  const [target] = event.composedPath();
  const plain = !event.ctrlKey && !event.metaKey && !event.altKey && event.key.toLowerCase() === 'e';
  if (!plain || !(target instanceof Element) || target.matches('input, textarea, select')) {
    return;
  }
  const found = find(event.target as Element);
  if (found) {
    event.preventDefault();
    void found.edit();
  }
}
