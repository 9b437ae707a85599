import '../elements/check-list.ts';
import '../elements/memory-bar.ts';
import { css, html, nothing } from 'lit';
import { customElement } from 'lit/decorators.js';
import type { Check } from '../elements/check-list.ts';
import { isActive } from '../shared/app-state.ts';
import { SessionView } from '../shared/session-view.ts';
import { shared } from '../shared/styles.ts';
import { checks } from './checks.ts';
import type { Asked } from './choices.ts';

/** Of a check that can be canceled or done again. */
type Named = CustomEvent<Asked | 'speed'>;

/** The checks before the start, and the start button. */
@customElement('start-panel')
export class StartPanel extends SessionView {
  static override styles = [
    shared,
    css`
      :host {
        display: block;
      }
      .panel {
        display: grid;
        gap: 1rem;
      }
      button.primary {
        width: 100%;
      }
      details summary {
        cursor: pointer;
        font-size: var(--small);
        color: var(--accent);
        padding: 0.2rem 0;
      }
    `,
  ];

  override render() {
    const { plan, run, elsewhere } = this.app;
    const { choices, speed } = this.session;
    const list = checks(this.app);
    const open = list.filter(({ state, aside }) => !aside && state !== 'good' && state !== 'warn');
    const running = isActive(run);
    const blocked = running || elsewhere !== undefined || open.length > 0 || !plan?.ok;
    const why = running
      ? 'A run is under way.'
      : elsewhere
        ? `Another tab is ${elsewhere.doing}.`
        : blockedBy(open);
    return html`<section class="panel" aria-labelledby="heading">
      <h2 id="heading">Before the start</h2>
      <check-list
        .checks=${list}
        @canceled=${({ detail }: Named) => (detail === 'speed' ? speed.cancel() : choices.cancel(detail))}
        @again=${({ detail }: Named) => (detail === 'speed' ? void speed.measure() : choices.again(detail))}
        @more=${() => this.dispatchEvent(new CustomEvent('look'))}
      ></check-list>
      ${
        plan?.ok
          ? html`<details>
              <summary>Memory by kind</summary>
              <memory-bar .kinds=${plan.value.bytes}></memory-bar>
            </details>`
          : nothing
      }
      ${
        plan?.ok && !running && !list.some(({ again, cancel }) => (again ?? cancel) === 'speed')
          ? html`<button type="button" @click=${() => void speed.measure()}>
              Measure how long it takes
            </button>`
          : nothing
      }
      <button
        type="button"
        class="primary"
        aria-disabled=${blocked}
        aria-describedby="why"
        @click=${() => !blocked && void this.session.start()}
      >
        Start training
      </button>
      <p id="why" class="soft small" aria-live="polite">${why}</p>
    </section>`;
  }
}

/** What is left to do, in one sentence. */
function blockedBy(open: readonly Check[]): string {
  const titles = (state: Check['state']) =>
    open.filter((check) => check.state === state).map(({ title }) => title);
  const [bad, todo] = [titles('bad'), titles('todo')];
  if (bad.length > 0) {
    return `Fix first: ${bad.join(', ')}.`;
  }
  if (todo.length > 0) {
    return `Still to choose: ${todo.filter((title) => CHOSEN.has(title)).join(', ')}.`;
  }
  return open.length > 0 ? 'Being checked…' : 'Everything is in order.';
}

const CHOSEN: ReadonlySet<string> = new Set(['Base model', 'Adapter V1', 'New rows']);
