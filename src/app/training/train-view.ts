import '../elements/film-strip.ts';
import '../elements/line-chart.ts';
import '../elements/notice-bar.ts';
import '../elements/progress-line.ts';
import './notify-option.ts';
import './run-log.ts';
import './result-view.ts';
import { css, html, nothing } from 'lit';
import { customElement } from 'lit/decorators.js';
import { showBytes, showCount, showNumber, showRate, showSeconds, showShare } from '../../formats/words.ts';
import type { ChartSeries } from '../elements/line-chart.ts';
import { isActive, type RunState } from '../shared/app-state.ts';
import { phaseAmount, phaseText } from '../shared/run-events.ts';
import { safeText } from '../shared/safe-text.ts';
import { SessionView } from '../shared/session-view.ts';
import { shared } from '../shared/styles.ts';
import { runTitle } from './announced.ts';
import { trainStyles } from './train-styles.ts';

/** Stage three: a run under way, or one that has ended. */
@customElement('train-view')
export class TrainView extends SessionView {
  static override styles = [
    shared,
    css`
      :host {
        display: block;
      }
    `,
    trainStyles,
  ];

  override render() {
    const { run } = this.app;
    if (!run) {
      return nothing;
    }
    const ended = run.status === 'finished' || run.status === 'stopped' || run.status === 'failed';
    return html`<div class="head">
        <div>
          <h2 id="heading" tabindex="-1">${runTitle(run, this.app.runs)}</h2>
          <p class="soft small">
            ${safeText(run.name)}${run.facts ? html` · ${safeText(run.facts.gpu)}` : nothing}
          </p>
        </div>
        ${this.#controls(run)}
      </div>
      ${
        run.sentence && run.status === 'failed'
          ? html`<notice-bar kind="bad" role="alert" .text=${run.sentence}></notice-bar>`
          : nothing
      }
      ${isActive(run) ? html`${this.#progress(run)}<notify-option .session=${this.session}></notify-option>` : nothing}
      ${ended && run.id ? html`<result-view .session=${this.session}></result-view>` : nothing}
      ${this.#figures(run)} ${this.#charts(run)} ${this.#samples(run)}
      <section aria-labelledby="log" class="panel">
        <h3 id="log">Log</h3>
        <run-log .lines=${run.log}></run-log>
      </section>`;
  }

  #controls({ status, id, steps, asked, checkpoints }: RunState) {
    const { training } = this.session;
    const button = (label: string, act: () => unknown, enabled = true) =>
      html`<button type="button" ?disabled=${!enabled} @click=${() => void act()}>${label}</button>`;
    const record = this.app.runs.find((run) => run.id === id && run.status === 'unfinished');
    const resume = () => record && void training.resume(record);
    const kept = this.app.runs.find((run) => run.id === id);
    const again = kept && button('Run again with changes', () => this.session.lineage.runAgain(kept));
    if (status === 'finished') {
      return again ?? nothing;
    }
    if (status === 'stopped' || status === 'failed') {
      return html`<div class="row">
        ${id ? html`<button type="button" class="primary" @click=${resume}>Continue from the last checkpoint</button>` : nothing}
        ${again ?? nothing}
        ${button('Back to the settings', () => this.session.store.update({ view: 'setup' }))}
      </div>`;
    }
    const live = status === 'running' || status === 'paused';
    return html`<div class="row" role="group" aria-label="Run">
      ${
        status === 'paused'
          ? button('Resume', () => training.unpause())
          : button('Pause', () => training.pause(), status === 'running')
      }
      ${button('Checkpoint now', () => training.checkpointNow(), live && steps.length > 0 && asked !== 'saving')}
      ${button('Stop', () => training.stop(), status !== 'stopping')}
      <span class="soft small" role="status">${askedText(asked, checkpoints.at(-1)?.step)}</span>
    </div>`;
  }

  #progress({ phase, within, progress, status }: RunState) {
    const line = (what: string, aside: string, done: number, total: number) =>
      html`<progress-line .what=${what} .aside=${aside} .done=${done} .total=${total}></progress-line>`;
    if (phase) {
      return line(phaseText(phase.phase), phaseAmount(phase), phase.done, phase.total);
    }
    if (within) {
      const { step, maxSteps, done, total } = within;
      const passed = step - 1 + done / total;
      const what = `Step ${showCount(step)} of ${showCount(maxSteps)}, row ${done} of ${total}`;
      return line(what, showShare(passed, maxSteps), passed, maxSteps);
    }
    const { step = 0, maxSteps = 1 } = progress ?? {};
    const what = progress
      ? `Step ${showCount(step)} of ${showCount(maxSteps)}`
      : status === 'running'
        ? 'The first step'
        : 'Getting ready';
    return line(what, showShare(step, maxSteps), step, maxSteps);
  }

  #figures(run: RunState) {
    const { progress, facts, evals, steps, checkpoints } = run;
    const figures: [string, string][] = [];
    if (progress) {
      const { step, maxSteps, epoch } = progress;
      // Under way, the bar above says it.
      if (!isActive(run)) {
        figures.push(['Step', `${showCount(step)} / ${showCount(maxSteps)}`]);
      }
      figures.push(['Epoch', epoch.toFixed(2)]);
    }
    const pace = run.within ?? progress;
    if (pace) {
      figures.push(['Tokens per second', showCount(Math.round(pace.tokensPerSecond))]);
      if (isActive(run)) {
        figures.push(['Time left', showSeconds(pace.secondsLeft)]);
      }
    }
    if (steps.length > 0) {
      figures.push(['Loss', showNumber(steps.at(-1)!.loss)]);
    }
    if (evals.length > 0) {
      figures.push(['Eval loss', showNumber(evals.at(-1)!.loss)]);
    }
    if (isActive(run) && checkpoints.length > 0) {
      figures.push(['Last checkpoint', `Step ${checkpoints.at(-1)!.step}`]);
    }
    if (facts) {
      figures.push(['GPU memory', showBytes(facts.gpuBytes)]);
    }
    if (figures.length === 0) {
      return nothing;
    }
    return html`<dl class="figures numbers panel">
      ${figures.map(
        ([name, value]) =>
          html`<div>
            <dt>${name}</dt>
            <dd>${value}</dd>
          </div>`,
      )}
    </dl>`;
  }

  #charts({ steps, evals, facts, progress }: RunState) {
    const end = facts?.maxSteps ?? progress?.maxSteps ?? 0;
    if (steps.length === 0) {
      return nothing;
    }
    const of = (value: 'loss' | 'learningRate' | 'gradNorm') =>
      steps.map((point) => [point.step, point[value]] as const);
    const losses: ChartSeries[] = [{ name: 'loss', color: '--plot-1', points: of('loss') }];
    if (evals.length > 0) {
      losses.push({
        name: 'eval loss',
        color: '--plot-2',
        dashed: true,
        exact: true,
        points: evals.map(({ step, loss }) => [step, loss]),
      });
    }
    const single = (name: string, value: 'learningRate' | 'gradNorm'): ChartSeries[] => [
      { name, color: '--plot-1', exact: value === 'learningRate', points: of(value) },
    ];
    // What an earlier run did not log has no plot.
    const small = (
      [
        ['Learning rate', 'rate', 'learningRate', showRate],
        ['Gradient norm', 'norm', 'gradNorm', showNumber],
      ] as const
    ).filter(([, , value]) => steps.some((point) => Number.isFinite(point[value])));
    return html`<div class="charts">
      <line-chart
        class="panel large"
        heading="Loss"
        size="large"
        .end=${end}
        .format=${showNumber}
        .series=${losses}
      ></line-chart>
      ${small.map(
        ([heading, name, value, format]) =>
          html`<line-chart
            class="panel ${small.length === 1 ? 'large' : ''}"
            .heading=${heading}
            .end=${end}
            .format=${format}
            .series=${single(name, value)}
          ></line-chart>`,
      )}
    </div>`;
  }

  #samples(run: RunState) {
    return run.samples
      ? html`<section aria-labelledby="samples" class="panel">
          <h3 id="samples">Sample prompts</h3>
          <film-strip .film=${run.samples} .live=${isActive(run)}></film-strip>
        </section>`
      : nothing;
  }

  /** Moves the focus to the stage. */
  show(): void {
    this.renderRoot.querySelector<HTMLElement>('#heading')?.focus();
  }
}

/** What became of "Checkpoint now"; `last` is the step of the last checkpoint. */
function askedText(asked: RunState['asked'], last: number | undefined): string {
  switch (asked) {
    case 'saving':
      return 'A checkpoint is saved after this pass…';
    case 'done':
      return last === undefined
        ? 'No checkpoint could be saved; see the log.'
        : `The checkpoint of step ${last} is kept.`;
    case undefined:
      return '';
  }
}
