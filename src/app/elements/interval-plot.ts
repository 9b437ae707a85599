import { css, html, LitElement, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { shared } from '../shared/styles.ts';

/** A difference and its interval on a scale around zero. */
@customElement('interval-plot')
export class IntervalPlot extends LitElement {
  @property({ type: Number }) value = 0;
  @property({ attribute: false }) interval: readonly [low: number, high: number] = [0, 0];
  /** What it says, for readers who do not see it. */
  @property() label = '';
  @property() worse = '';
  @property() better = '';
  @property() tone: 'good' | 'bad' | 'unclear' = 'unclear';

  static override styles = [
    shared,
    css`
      :host {
        display: block;
      }
      svg {
        display: block;
        width: 100%;
        height: 2.2rem;
        fill: var(--tone);
        stroke-width: 1;
      }
      line {
        stroke: var(--line-strong);
        vector-effect: non-scaling-stroke;
      }
      .zero {
        stroke-width: 2;
        stroke-dasharray: 4 3;
      }
      .range {
        opacity: 0.4;
      }
      .value {
        stroke: var(--tone);
        stroke-width: 4;
        vector-effect: non-scaling-stroke;
      }
      .good {
        --tone: var(--good);
      }
      .bad {
        --tone: var(--bad);
      }
      .unclear {
        --tone: var(--ink-soft);
      }
      .ends {
        display: flex;
        justify-content: space-between;
        gap: 1rem;
        font-size: var(--tiny);
        color: var(--ink-soft);
      }
    `,
  ];

  override render() {
    const [low, high] = this.interval;
    // Room for the interval, with a margin; never more than from −100 to 100 points.
    const half = Math.min(1, Math.max(0.05, 1.15 * Math.max(Math.abs(low), Math.abs(high))));
    const at = (value: number) => 50 + (50 * value) / half;
    return html`<div role="img" aria-label=${this.label}>
      <svg class=${this.tone} viewBox="0 0 100 20" preserveAspectRatio="none" aria-hidden="true">
        <line x1="0" y1="10" x2="100" y2="10" />
        <line class="zero" x1="50" y1="1" x2="50" y2="19" />
        <rect class="range" x=${at(low)} y="6" width=${Math.max(0.6, at(high) - at(low))} height="8" />
        <line class="value" x1=${at(this.value)} y1="4" x2=${at(this.value)} y2="16" />
      </svg>
      ${
        this.worse
          ? html`<div class="ends" aria-hidden="true">
              <span>← ${this.worse}</span><span>no difference</span><span>${this.better} →</span>
            </div>`
          : nothing
      }
    </div>`;
  }
}
