import '../elements/progress-line.ts';
import { css, html, nothing } from 'lit';
import { customElement } from 'lit/decorators.js';
import { showCount, showSeconds, showShare, showSpeed } from '../../formats/words.ts';
import { phaseAmount, phaseText } from '../shared/run-events.ts';
import { safeText } from '../shared/safe-text.ts';
import { SessionView } from '../shared/session-view.ts';
import { shared } from '../shared/styles.ts';
import type { RunningTest } from './test-events.ts';

/** The progress of the running test. */
@customElement('test-progress-view')
export class TestProgressView extends SessionView {
  static override styles = [
    shared,
    css`
      :host {
        display: block;
      }
      .panel {
        display: grid;
        gap: 0.6rem;
      }
      li {
        font-size: var(--small);
        color: var(--ink-soft);
        overflow-wrap: anywhere;
      }
    `,
  ];

  protected override get stores() {
    return [this.session.tests.store];
  }

  override render() {
    const { running, detail } = this.session.tests.store.state;
    if (!running) {
      return nothing;
    }
    const names = detail?.record.versions.map(({ name }) => name) ?? [];
    const { what, done, total, aside } = progressLine(running, names);
    return html`<section class="panel" aria-label="Progress">
      <progress-line .what=${what} .aside=${aside} .done=${done} .total=${total}></progress-line>
      ${
        running.notes.length > 0
          ? html`<ul>
              ${running.notes.slice(-3).map((note) => html`<li>${safeText(note)}</li>`)}
            </ul>`
          : nothing
      }
    </section>`;
  }
}

function progressLine(
  { phase, progress }: RunningTest,
  names: readonly string[],
): { what: string; done: number; total: number; aside: string } {
  if (phase) {
    const { done, total } = phase;
    return { what: phaseText(phase.phase), done, total, aside: phaseAmount(phase) };
  }
  if (!progress) {
    return { what: 'Getting ready', done: 0, total: 1, aside: '' };
  }
  const { version, answered, total, tokensPerSecond, secondsLeft } = progress;
  const left = Number.isFinite(secondsLeft) ? `${showSeconds(secondsLeft)} left` : 'estimating time left…';
  return {
    what: `${names[version] ?? 'The model'} is answering: ${showCount(answered)} of ${showCount(total)} answers`,
    done: answered,
    total,
    aside: `${showShare(answered, total)} · ${showSpeed(tokensPerSecond)} · ${left}`,
  };
}
