import { css, html, LitElement, nothing } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import type { ChatSampling } from '../../../engine/protocol/chat.ts';
import type { PromptForm } from '../../../generate/prompt-form.ts';
import { shared } from '../../shared/styles.ts';
import { readSampling, samplingText, type SettingKey, SETTINGS } from './sampling-fields.ts';

/** System prompt and sampling. Fires `system` with a text and `sampling` with what all fields say, once it is valid. */
@customElement('chat-settings')
export class ChatSettings extends LitElement {
  @property() system = '';
  /** The conversation has begun: its system prompt stays. */
  @property({ type: Boolean }) begun = false;
  @property({ attribute: false }) form: PromptForm | undefined;
  @property({ attribute: false }) sampling!: ChatSampling;
  @state() private problems: Partial<Record<SettingKey, string>> = {};

  static override styles = [
    shared,
    css`
      :host {
        display: block;
      }
      details {
        font-size: var(--small);
      }
      summary {
        cursor: pointer;
        color: var(--accent);
        padding: 0.2rem 0;
      }
      .fields {
        display: grid;
        grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr));
        gap: 0.7rem 1rem;
        align-items: start;
        padding-top: 0.5rem;
      }
      .whole {
        padding-top: 0.5rem;
      }
      label {
        display: block;
        font-weight: 550;
        margin-bottom: 0.2rem;
      }
      textarea {
        resize: vertical;
        min-height: 2.25rem;
      }
      .note {
        font-size: var(--tiny);
        color: var(--ink-soft);
        margin-top: 0.2rem;
        line-height: 1.35;
      }
      .problem {
        color: var(--bad);
      }
    `,
  ];

  /** Whether a field says something that cannot be taken. */
  get invalid(): boolean {
    return Object.values(this.problems).some((problem) => problem !== undefined);
  }

  override render() {
    const note = this.begun
      ? 'Fixed once a conversation has begun; a new one can have another.'
      : this.form === 'text'
        ? 'The rows are plain text: it is written before the first “### Instruction:”.'
        : 'Written by the chat template before the first question; empty: what the template itself says.';
    return html`<details>
      <summary>System prompt, temperature, length</summary>
      <div class="whole">
        <label for="system">System prompt</label>
        <textarea
          id="system"
          rows="2"
          aria-describedby="system-note"
          .value=${this.system}
          ?readonly=${this.begun}
          @input=${(event: Event) => this.#fire('system', (event.target as HTMLTextAreaElement).value)}
        ></textarea>
        <p id="system-note" class="note">${note}</p>
      </div>
      <div class="fields">
        ${SETTINGS.map(({ key, label, hint, lines }) => {
          const problem = this.problems[key];
          const described = { 'aria-describedby': `${key}-note` };
          const changed = (event: Event) =>
            this.#changed(key, (event.target as HTMLInputElement | HTMLTextAreaElement).value);
          return html`<div>
            <label for=${key}>${label}</label>
            ${
              lines
                ? html`<textarea
                    id=${key}
                    rows="1"
                    aria-describedby=${described['aria-describedby']}
                    aria-invalid=${problem ? 'true' : nothing}
                    .value=${samplingText(this.sampling, key)}
                    @change=${changed}
                  ></textarea>`
                : html`<input
                    id=${key}
                    inputmode="decimal"
                    autocomplete="off"
                    aria-describedby=${described['aria-describedby']}
                    aria-invalid=${problem ? 'true' : nothing}
                    .value=${samplingText(this.sampling, key)}
                    @change=${changed}
                  />`
            }
            <p id=${`${key}-note`} class=${problem ? 'note problem' : 'note'}>${problem ?? hint}</p>
          </div>`;
        })}
      </div>
    </details>`;
  }

  #changed(key: SettingKey, text: string): void {
    const read = readSampling(key, text);
    this.problems = { ...this.problems, [key]: read.problem };
    if (read.problem === undefined) {
      this.#fire('sampling', { ...this.sampling, [key]: read.value });
    }
    this.#fire('validity', this.invalid);
  }

  #fire(name: string, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
