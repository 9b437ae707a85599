import { css, html, LitElement, unsafeCSS } from 'lit';
import { customElement, property, query } from 'lit/decorators.js';
import uPlot from 'uplot';
import plotStyles from 'uplot/dist/uPlot.min.css?inline';
import { visibleText } from '../../formats/visible-text.ts';
import { safeText } from '../shared/safe-text.ts';
import { shared } from '../shared/styles.ts';

export interface ChartSeries {
  name: string;
  /** A custom property of tokens.css. */
  color: `--plot-${1 | 2 | 3 | 4 | 5 | 6}`;
  /** Dashed as usual, or by lengths of dashes and gaps: what tells many lines apart without their colors. */
  dashed?: boolean | readonly number[];
  points: readonly (readonly [step: number, value: number])[];
}

const HEIGHT = { large: 260, small: 140 } as const;

/** Values over steps. The caption gives the latest ones as text, because a screen reader cannot read a canvas. */
@customElement('line-chart')
export class LineChart extends LitElement {
  @property() heading = '';
  @property() size: keyof typeof HEIGHT = 'small';
  @property({ attribute: false }) series: readonly ChartSeries[] = [];
  @property({ attribute: false }) format: (value: number) => string = String;
  @query('.plot') private place!: HTMLElement;
  #plot: uPlot | undefined;
  #drawn = '';
  readonly #resizing = new ResizeObserver(() => this.#resize());
  readonly #scheme = matchMedia('(prefers-color-scheme: dark)');

  static override styles = [
    shared,
    unsafeCSS(plotStyles),
    css`
      :host {
        display: block;
        min-width: 0;
      }
      figcaption {
        display: flex;
        flex-wrap: wrap;
        gap: 0.2rem 1rem;
        align-items: baseline;
        margin-bottom: 0.4rem;
        font-size: var(--small);
      }
      h3 {
        font-size: var(--small);
        margin-right: auto;
      }
      .key {
        display: inline-flex;
        align-items: center;
        gap: 0.4rem;
        color: var(--ink-soft);
      }
      .key b {
        color: var(--ink);
        font-weight: 600;
      }
      svg {
        width: 1.4rem;
        height: 0.5rem;
        stroke: currentColor;
        stroke-width: 2.5;
      }
      .plot {
        min-width: 0;
        overflow: hidden;
      }
    `,
  ];

  override connectedCallback(): void {
    super.connectedCallback();
    this.#scheme.addEventListener('change', this.#recolor);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#scheme.removeEventListener('change', this.#recolor);
    this.#resizing.disconnect();
    this.#plot?.destroy();
    this.#plot = undefined;
  }

  override render() {
    return html`<figure>
      <figcaption>
        <h3>${this.heading}</h3>
        ${this.series.map(
          ({ name, color, dashed, points }) =>
            html`<span class="key numbers">
              <svg viewBox="0 0 22 8" aria-hidden="true" data-color=${color}>
                <line
                  x1="0"
                  y1="4"
                  x2="22"
                  y2="4"
                  stroke=${`var(${color})`}
                  stroke-dasharray=${dashed === true ? '5 4' : dashed ? dashed.join(' ') : 'none'}
                />
              </svg>
              ${safeText(name)} <b>${points.length > 0 ? this.format(points.at(-1)![1]) : '–'}</b>
            </span>`,
        )}
      </figcaption>
      <div class="plot" role="img" aria-label=${this.#description()}></div>
    </figure>`;
  }

  override updated(): void {
    const data = align(this.series);
    const names = this.series.map((series) => series.name).join();
    if (this.#plot && this.#drawn === names) {
      return this.#plot.setData(data);
    }
    this.#drawn = names;
    this.#draw(data);
  }

  #description(): string {
    const parts = this.series.map(({ name, points }) => {
      const [first, last] = [points[0], points.at(-1)];
      if (!first || !last) {
        return `${visibleText(name)}: no values yet`;
      }
      return `${visibleText(name)}: from ${this.format(first[1])} at step ${first[0]} to ${this.format(last[1])} at step ${last[0]}`;
    });
    return `${this.heading}. ${parts.join('; ')}.`;
  }

  readonly #recolor = (): void => this.#draw(align(this.series));

  #draw(data: uPlot.AlignedData): void {
    this.#plot?.destroy();
    const styles = getComputedStyle(this);
    const color = (name: string) => styles.getPropertyValue(name).trim();
    const axis: uPlot.Axis = {
      stroke: color('--ink-soft'),
      grid: { stroke: color('--line'), width: 1 },
      ticks: { stroke: color('--line'), width: 1, size: 4 },
      font: `12px ${color('--sans')}`,
    };
    const options: uPlot.Options = {
      width: this.place.clientWidth || 300,
      height: HEIGHT[this.size],
      legend: { show: false },
      cursor: { drag: { x: false, y: false } },
      scales: { x: { time: false } },
      axes: [
        {
          ...axis,
          size: 28,
          space: 60,
          incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000],
        },
        { ...axis, size: 64, space: 32, values: (_, ticks) => ticks.map((tick) => compact(tick)) },
      ],
      series: [
        {},
        ...this.series.map((series): uPlot.Series => ({
          stroke: color(series.color),
          width: 2,
          spanGaps: true,
          points: { show: fewPoints, size: 5, fill: color(series.color) },
          ...(series.dashed ? { dash: series.dashed === true ? [6, 4] : [...series.dashed] } : {}),
        })),
      ],
    };
    this.#plot = new uPlot(options, data, this.place);
    this.#resizing.observe(this.place);
  }

  #resize(): void {
    const width = this.place.clientWidth;
    if (width > 0 && this.#plot && this.#plot.width !== width) {
      this.#plot.setSize({ width, height: HEIGHT[this.size] });
    }
  }
}

/** Dots only where they do not touch. */
const fewPoints = (plot: uPlot, series: number): boolean =>
  Array.from(plot.data[series] ?? []).filter((value) => typeof value === 'number').length < 40;

const compact = (value: number): string =>
  value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential(1) : String(Number(value.toPrecision(4)));

/** The series over the union of their steps, as uPlot wants them: null where a series has no value. */
function align(series: readonly ChartSeries[]): uPlot.AlignedData {
  const steps = [...new Set(series.flatMap(({ points }) => points.map(([step]) => step)))].toSorted(
    (a, b) => a - b,
  );
  const columns = series.map(({ points }) => {
    const values = new Map(points);
    return steps.map((step) => values.get(step) ?? null);
  });
  return [steps, ...columns];
}
