import '../elements/line-chart.ts';
import { css, html, LitElement, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import type { Recipe } from '../../formats/recipe.ts';
import { showRate } from '../../formats/words.ts';
import type { ChartSeries } from '../elements/line-chart.ts';
import { schedulePoints } from './schedule-points.ts';

/** The learning rate of every step, before the run starts. */
@customElement('schedule-preview')
export class SchedulePreview extends LitElement {
  @property({ attribute: false }) recipe!: Recipe;
  /** Steps of the whole run; 0 until they are known. */
  @property({ type: Number }) maxSteps = 0;

  static override styles = css`
    :host {
      display: block;
      grid-column: 1 / -1;
      min-width: 0;
    }
  `;

  override render() {
    if (this.maxSteps < 1) {
      return nothing;
    }
    const { training } = this.recipe;
    const points = schedulePoints(training, this.maxSteps);
    const summary = `at most ${showRate(Math.max(...points.map(([, rate]) => rate)))}`;
    const series: ChartSeries[] = [{ name: 'rate', color: '--plot-1', exact: true, summary, points }];
    return html`<line-chart
      heading="Learning rate of this run"
      .end=${this.maxSteps}
      .format=${showRate}
      .series=${series}
    ></line-chart>`;
  }
}
