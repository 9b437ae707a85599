import './chart-tools.ts';
import { html, LitElement, nothing, unsafeCSS } from 'lit';
import { customElement, property, query, state } from 'lit/decorators.js';
import uPlot from 'uplot';
import plotStyles from 'uplot/dist/uPlot.min.css?inline';
import { visibleText } from '../../formats/visible-text.ts';
import { saveFile } from '../../platform/save-file.ts';
import { safeText } from '../shared/safe-text.ts';
import { shared } from '../shared/styles.ts';
import { aboveZero, align, chartCsv, nearestStep, type Point, smoothed, zoomed } from './chart-data.ts';
import { type DrawnLine, plotOptions, plotPng } from './chart-plot.ts';
import { chartStyles } from './chart-styles.ts';

export interface ChartSeries {
  name: string;
  /** A custom property of tokens.css. */
  color: `--plot-${1 | 2 | 3 | 4 | 5 | 6}`;
  /** Dashed as usual, or by lengths of dashes and gaps: what tells many lines apart without their colors. */
  dashed?: boolean | readonly number[];
  /** Never smoothed: it has few points, and each counts. */
  exact?: boolean;
  /** What its key says where no step is pointed at; the latest value unless given. */
  summary?: string;
  points: readonly Point[];
}

const HEIGHT = { large: 260, small: 140 } as const;

/**
 * Values over steps, with those at the crosshair: of the mouse, or of a slider for the keyboard, which is not seen. The caption gives them
 * as text, because a screen reader cannot read a canvas.
 */
@customElement('line-chart')
export class LineChart extends LitElement {
  @property() heading = '';
  @property() size: keyof typeof HEIGHT = 'small';
  /** The last step of the axis, where the lines do not reach it yet. */
  @property({ type: Number }) end = 0;
  @property({ attribute: false }) series: readonly ChartSeries[] = [];
  @property({ attribute: false }) format: (value: number) => string = String;
  @state() private weight = 0;
  @state() private logarithmic = false;
  /** The steps that are shown; undefined for all. */
  @state() private zoom: readonly [number, number] | undefined;
  /** The step at the crosshair. */
  @state() private at: number | undefined;
  @query('.plot') private place!: HTMLElement;
  #plot: uPlot | undefined;
  #drawn = '';
  readonly #resizing = new ResizeObserver(() => this.#resize());
  readonly #schemes = ['(prefers-color-scheme: dark)', '(forced-colors: active)'].map((query) =>
    matchMedia(query),
  );

  static override styles = [shared, unsafeCSS(plotStyles), chartStyles];

  override connectedCallback(): void {
    super.connectedCallback();
    for (const scheme of this.#schemes) {
      scheme.addEventListener('change', this.#recolor);
    }
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    for (const scheme of this.#schemes) {
      scheme.removeEventListener('change', this.#recolor);
    }
    this.#resizing.disconnect();
    this.#plot?.destroy();
    this.#plot = undefined;
    this.#drawn = '';
  }

  override render() {
    const { steps } = align(this.series.map(({ points }) => points));
    return html`<figure>
      <figcaption>
        <h3>${this.heading}</h3>
        ${this.at === undefined ? nothing : html`<span class="soft numbers">step ${this.at}</span>`}
        ${this.series.map(
          ({ name, color, dashed, exact, summary, points }) =>
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
              ${safeText(name)}
              <b>${this.at === undefined && summary !== undefined ? summary : this.#valueAt(points)}</b>${
                this.weight === 0 || exact
                  ? nothing
                  : html`<span>(${this.#valueAt(smoothed(points, this.weight))} smoothed)</span>`
              }
            </span>`,
        )}
      </figcaption>
      <div class="frame" @dblclick=${() => (this.zoom = undefined)}>
        <div class="plot" role="img" aria-label=${this.#description()}></div>
        ${steps.length > 1 ? this.#slider(steps) : nothing}
      </div>
      <chart-tools
        .heading=${this.heading}
        .weight=${this.weight}
        .logarithmic=${this.logarithmic}
        .zoomed=${this.zoom !== undefined}
        .smooths=${this.series.some(({ exact }) => !exact)}
        @weight=${({ detail }: CustomEvent<number>) => (this.weight = detail)}
        @logarithmic=${({ detail }: CustomEvent<boolean>) => (this.logarithmic = detail)}
        @reset=${() => (this.zoom = undefined)}
        @csv=${() => saveFile(`${this.#file}.csv`, new Blob([chartCsv(this.series)], { type: 'text/csv' }))}
        @png=${() => void this.#savePng()}
      ></chart-tools>
    </figure>`;
  }

  /** The crosshair for the keyboard. */
  #slider(steps: readonly number[]) {
    const index = this.at === undefined ? steps.length - 1 : nearestStep(steps, this.at);
    const step = steps[index]!;
    const values = this.series.map(
      ({ name, points }) => `${visibleText(name)} ${this.#valueAt(points, step)}`,
    );
    return html`<input
      type="range"
      aria-label=${`Values of ${this.heading} by step; plus and minus zoom, Escape shows all`}
      aria-valuetext=${`Step ${step}: ${values.join(', ')}`}
      min="0"
      max=${steps.length - 1}
      .value=${String(index)}
      @input=${(event: Event) => this.#point(steps[Number((event.target as HTMLInputElement).value)])}
      @focus=${() => this.#point(step)}
      @blur=${() => this.#point(undefined)}
      @keydown=${(event: KeyboardEvent) => this.#key(event, step)}
    />`;
  }

  #key(event: KeyboardEvent, step: number): void {
    const factor = { '+': 0.5, '=': 0.5, '-': 2 }[event.key] as 0.5 | 2 | undefined;
    if (factor !== undefined) {
      this.zoom = zoomed(this.#range(), this.#whole(), step, factor);
    } else if (event.key === 'Escape') {
      this.zoom = undefined;
    } else {
      return;
    }
    event.preventDefault();
  }

  /** Moves the crosshair to a step, or away. */
  #point(step: number | undefined): void {
    this.at = step;
    const left = step === undefined ? -10 : (this.#plot?.valToPos(step, 'x') ?? -10);
    this.#plot?.setCursor({ left, top: step === undefined ? -10 : 10 }, false);
  }

  /** The value at the crosshair, or the latest. */
  #valueAt(points: readonly Point[], at = this.at): string {
    const point = at === undefined ? points.at(-1) : points.findLast(([step]) => step === at);
    return point && Number.isFinite(point[1]) ? this.format(point[1]) : '–';
  }

  override updated(changed: Map<PropertyKey, unknown>): void {
    // The crosshair alone moves without a new plot.
    if (this.#plot && [...changed.keys()].every((key) => key === 'at')) {
      return;
    }
    const data = this.#data();
    const drawn = JSON.stringify([this.series.map(({ name }) => name), this.weight > 0, this.logarithmic]);
    if (this.#plot && this.#drawn === drawn) {
      return this.#plot.setData(data);
    }
    this.#drawn = drawn;
    this.#draw(data);
  }

  #description(): string {
    const parts = this.series.map(({ name, points }) => {
      const known = points.filter(([, value]) => Number.isFinite(value));
      const [first, last] = [known[0], known.at(-1)];
      if (!first || !last) {
        return `${visibleText(name)}: no values yet`;
      }
      return `${visibleText(name)}: from ${this.format(first[1])} at step ${first[0]} to ${this.format(last[1])} at step ${last[0]}`;
    });
    return `${this.heading}. ${parts.join('; ')}.`;
  }

  /** All lines: smoothed ones after their own points. */
  #lines(): (DrawnLine & { points: readonly Point[] })[] {
    return this.series.flatMap(({ color, dashed, exact, points: all }) => {
      const points = this.logarithmic ? aboveZero(all) : all;
      const dash = dashed === true ? [6, 4] : dashed || undefined;
      const line = { color, dash, faint: false, points };
      return this.weight === 0 || exact
        ? [line]
        : [
            { ...line, faint: true },
            { ...line, points: smoothed(points, this.weight) },
          ];
    });
  }

  #data(): uPlot.AlignedData {
    const { steps, columns } = align(this.#lines().map(({ points }) => points));
    return [steps, ...columns];
  }

  #whole(): readonly [number, number] {
    const { steps } = align(this.series.map(({ points }) => points));
    const first = steps[0] ?? 0;
    return [first, Math.max(this.end, steps.at(-1) ?? 0, first + 1)];
  }

  #range(): readonly [number, number] {
    return this.zoom ?? this.#whole();
  }

  readonly #color = (name: string): string => getComputedStyle(this).getPropertyValue(name).trim();

  readonly #recolor = (): void => this.#draw(this.#data());

  #draw(data: uPlot.AlignedData): void {
    this.#plot?.destroy();
    const options = plotOptions({
      width: this.place.clientWidth || 300,
      height: HEIGHT[this.size],
      lines: this.#lines(),
      logarithmic: this.logarithmic,
      color: this.#color,
      range: () => this.#range(),
      onCursor: (index) => (this.at = index === undefined ? undefined : this.#plot?.data[0][index]),
      onZoom: (range) => (this.zoom = range),
    });
    this.#plot = new uPlot(options, data, this.place);
    this.#resizing.observe(this.place);
  }

  get #file(): string {
    return this.heading.toLowerCase().replace(/[^a-z0-9]+/g, '-') || 'plot';
  }

  async #savePng(): Promise<void> {
    if (this.#plot) {
      const legend = this.series.map(({ name, color }) => ({ name: visibleText(name), color }));
      saveFile(`${this.#file}.png`, await plotPng(this.#plot, this.heading, legend, this.#color));
    }
  }

  #resize(): void {
    const width = this.place.clientWidth;
    if (width > 0 && this.#plot && this.#plot.width !== width) {
      this.#plot.setSize({ width, height: HEIGHT[this.size] });
    }
  }
}
