import { css, html, LitElement, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { shared } from '../shared/styles.ts';

/** Beyond this the line hardly moves. */
const MAX_WEIGHT = 0.99;

/** How a chart is shown and saved. Fires `weight`, `logarithmic`, `reset`, `csv` and `png`. */
@customElement('chart-tools')
export class ChartTools extends LitElement {
  @property() heading = '';
  /** Of the smoothing, from 0 to below 1. */
  @property({ type: Number }) weight = 0;
  @property({ type: Boolean }) logarithmic = false;
  /** Not all steps are shown. */
  @property({ type: Boolean }) zoomed = false;
  /** Whether there is something to smooth. */
  @property({ type: Boolean }) smooths = true;

  static override styles = [
    shared,
    css`
      :host {
        display: flex;
        flex-wrap: wrap;
        align-items: start;
        gap: 0 1rem;
        font-size: var(--tiny);
      }
      details {
        flex: 1 1 auto;
      }
      summary {
        cursor: pointer;
        color: var(--ink-soft);
        padding: 0.2rem 0;
        width: fit-content;
      }
      .row {
        gap: 0.2rem 1.2rem;
      }
      label {
        display: flex;
        align-items: center;
        gap: 0.5rem;
        font-size: var(--tiny);
      }
      input[type='range'] {
        width: 8rem;
        padding: 0;
        border: 0;
        background: none;
        accent-color: var(--accent);
      }
      @media print {
        :host {
          display: none;
        }
      }
    `,
  ];

  override render() {
    const of = html`<span class="only-heard"> of ${this.heading}</span>`;
    return html`<details>
        <summary>Options${of}</summary>
        <div class="row">
          ${
            this.smooths
              ? html`<label
                  >Smoothing${of}
                  <input
                    type="range"
                    min="0"
                    max=${MAX_WEIGHT}
                    step="0.01"
                    .value=${String(this.weight)}
                    @input=${(event: Event) =>
                      this.#fire('weight', Number((event.target as HTMLInputElement).value))}
                  />
                  <span class="numbers">${this.weight.toFixed(2)}</span></label
                >`
              : nothing
          }
          <label
            ><input
              type="checkbox"
              .checked=${this.logarithmic}
              @change=${(event: Event) =>
                this.#fire('logarithmic', (event.target as HTMLInputElement).checked)}
            />Log scale${of}</label
          >
          <button type="button" class="link" @click=${() => this.#fire('csv')}>CSV${of}</button>
          <button type="button" class="link" @click=${() => this.#fire('png')}>PNG${of}</button>
          <span class="soft">Drag over the plot to zoom.</span>
        </div>
      </details>
      ${
        this.zoomed
          ? html`<button type="button" class="link" @click=${() => this.#fire('reset')}>
              Show all steps${of}
            </button>`
          : nothing
      }`;
  }

  #fire(name: string, detail?: unknown): void {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
