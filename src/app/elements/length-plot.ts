import { css, html, LitElement, nothing, svg } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { counted, showCount } from '../../formats/words.ts';
import { shared } from '../shared/styles.ts';

const HEIGHT = 60;

/** How many rows are how long, with the line at which they are cut. */
@customElement('length-plot')
export class LengthPlot extends LitElement {
  /** Rows by length: `bins[i]` counts those of `i * binWidth` tokens and more. */
  @property({ attribute: false }) bins: ArrayLike<number> = [];
  @property({ type: Number }) binWidth = 1;
  /** Tokens at which rows are cut. */
  @property({ type: Number }) maxLength = 0;

  static override styles = [
    shared,
    css`
      :host {
        display: block;
      }
      svg {
        display: block;
        width: 100%;
        height: 5rem;
        border-bottom: 1px solid var(--line-strong);
      }
      rect {
        fill: var(--accent);
      }
      rect.beyond {
        fill: var(--warn);
      }
      line {
        stroke: var(--warn);
        stroke-width: 2;
        stroke-dasharray: 5 3;
        vector-effect: non-scaling-stroke;
      }
      .cut {
        font-size: var(--tiny);
        color: var(--warn);
      }
      .axis {
        display: flex;
        justify-content: space-between;
        font-size: var(--tiny);
        color: var(--ink-soft);
      }
      @media (forced-colors: active) {
        rect {
          fill: CanvasText;
        }
        rect.beyond {
          fill: Highlight;
        }
      }
    `,
  ];

  override render() {
    const counts = Array.from(this.bins);
    const most = Math.max(1, ...counts);
    const at = this.maxLength / this.binWidth;
    const beyond = at < counts.length;
    return html`<svg
        viewBox="0 0 ${counts.length} ${HEIGHT}"
        preserveAspectRatio="none"
        role="img"
        aria-label=${this.#label(counts, most)}
      >
        ${counts.map((count, i) => this.#bar(count, i, most))}
        ${beyond ? svg`<line x1=${at} y1="0" x2=${at} y2=${HEIGHT} />` : nothing}
      </svg>
      <div class="axis numbers" aria-hidden="true">
        <span>0</span>
        <span>tokens of a row</span>
        <span>${showCount(counts.length * this.binWidth)}</span>
      </div>
      ${beyond ? html`<p class="cut" aria-hidden="true">┆ rows are cut at ${showCount(this.maxLength)}</p>` : nothing}`;
  }

  #bar(count: number, i: number, most: number) {
    // A single row among many still shows.
    const height = count === 0 ? 0 : Math.max(1.5, (HEIGHT * count) / most);
    const beyond = i * this.binWidth >= this.maxLength ? 'beyond' : '';
    return svg`<rect class=${beyond} x=${i + 0.05} y=${HEIGHT - height} width="0.9" height=${height} />`;
  }

  #label(counts: readonly number[], most: number): string {
    const begin = counts.indexOf(most) * this.binWidth;
    const rows = counts.reduce((sum, count) => sum + count, 0);
    const common = `most are of ${showCount(begin)} to ${showCount(begin + this.binWidth - 1)}`;
    return `Lengths of ${counted(rows, 'row')} in tokens, up to ${showCount(counts.length * this.binWidth)}: ${common}; rows are cut at ${showCount(this.maxLength)}.`;
  }
}
