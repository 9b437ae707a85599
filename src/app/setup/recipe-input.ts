import { css, html, LitElement, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import type { Setting } from '../../formats/setting.ts';
import { safeText } from '../shared/safe-text.ts';
import { choicesOf } from '../shared/setting-text.ts';
import { shared } from '../shared/styles.ts';

/** One setting with its label, hint and what is wrong with it; fires `edited` with the text as its detail. */
@customElement('recipe-input')
export class RecipeInput extends LitElement {
  @property({ attribute: false }) field!: Setting;
  @property() value = '';
  @property() problem = '';
  @property({ type: Boolean }) locked = false;

  static override styles = [
    shared,
    css`
      /* The three lines of the form's grid. */
      :host {
        display: grid;
        grid-template: subgrid / minmax(0, 1fr);
        align-items: start;
      }
      label {
        grid-row: 1;
        align-self: end;
        font-size: var(--small);
        font-weight: 550;
      }
      label.check {
        display: flex;
        grid-row: 2;
        align-self: center;
      }
      input:not([type='checkbox']),
      select {
        grid-row: 2;
      }
      p {
        font-size: var(--tiny);
        color: var(--ink-soft);
        grid-row: 3;
        margin-bottom: 0.7rem;
        line-height: 1.35;
        overflow-wrap: anywhere;
      }
      p.problem {
        color: var(--bad);
      }
    `,
  ];

  override render() {
    const { field, problem } = this;
    const note = html`<p id="note" class=${problem ? 'problem' : ''} aria-live="polite">
      ${safeText(problem || field.hint)}
    </p>`;
    if (field.kind === 'boolean') {
      return html`<label class="check"
          ><input
            type="checkbox"
            name=${field.key}
            .checked=${this.value === 'true'}
            ?disabled=${this.locked}
            aria-invalid=${problem ? 'true' : 'false'}
            aria-describedby="note"
            @change=${(event: Event) => this.#edited(String((event.target as HTMLInputElement).checked))}
          />${field.label}</label
        >${note}`;
    }
    return html`<label for="input">${field.label}</label>${this.#input()}${note}`;
  }

  #input() {
    const { field } = this;
    const { key } = field;
    if (field.kind === 'choice') {
      return html`<select
        id="input"
        name=${key}
        ?disabled=${this.locked}
        aria-invalid=${this.problem ? 'true' : 'false'}
        aria-describedby="note"
        @change=${(event: Event) => this.#edited((event.target as HTMLSelectElement).value)}
      >
        ${choicesOf(field).map((choice) => html`<option ?selected=${choice === this.value}>${choice}</option>`)}
      </select>`;
    }
    return html`<input
      id="input"
      name=${key}
      autocomplete="off"
      spellcheck="false"
      inputmode=${field.kind === 'number' ? 'decimal' : nothing}
      .value=${this.value}
      ?disabled=${this.locked}
      aria-invalid=${this.problem ? 'true' : 'false'}
      aria-describedby="note"
      @input=${(event: Event) => this.#edited((event.target as HTMLInputElement).value)}
    />`;
  }

  #edited(detail: string): void {
    this.dispatchEvent(new CustomEvent('edited', { detail }));
  }
}
