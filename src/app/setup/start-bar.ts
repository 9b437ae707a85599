import { css, html } from 'lit';
import { customElement } from 'lit/decorators.js';
import type { Check } from '../elements/check-list.ts';
import { isActive } from '../shared/app-state.ts';
import { SessionView } from '../shared/session-view.ts';
import { shared } from '../shared/styles.ts';
import { checks } from './checks.ts';

/** The start button, which stays in view, and what is left to do before it. */
@customElement('start-bar')
export class StartBar extends SessionView {
  static override styles = [
    shared,
    css`
      :host {
        display: block;
      }
      .panel {
        display: grid;
        gap: 0.5rem;
        padding: 0.75rem 1.25rem 1rem;
      }
      @media (max-width: 68rem) {
        .panel {
          padding: 0.6rem 1rem;
        }
        button.primary {
          min-height: 2.75rem;
        }
      }
    `,
  ];

  override render() {
    const { plan, run, elsewhere } = this.app;
    const list = checks(this.app);
    const open = list.filter(({ state, aside }) => !aside && state !== 'good' && state !== 'warn');
    const warned = list.filter(({ state }) => state === 'warn').map(({ title }) => title);
    const running = isActive(run);
    const blocked = running || elsewhere !== undefined || open.length > 0 || !plan?.ok;
    const why = running
      ? 'A run is under way.'
      : elsewhere
        ? `Another tab is ${elsewhere.doing}.`
        : open.length > 0
          ? blockedBy(open)
          : readyWith(warned);
    return html`<div class="panel in-view">
      <p id="why" class="soft small" aria-live="polite">${why}</p>
      <button
        type="button"
        class="primary"
        aria-disabled=${blocked}
        aria-describedby="why"
        @click=${() => !blocked && void this.session.start()}
      >
        Start training
      </button>
    </div>`;
  }
}

/** What is left to do, in one sentence; `open` has at least one check. */
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
  return 'Being checked…';
}

/** That nothing is left to do; a warning does not block, but is named. */
function readyWith(warned: readonly string[]): string {
  if (warned.length === 0) {
    return 'Ready to start.';
  }
  return `Ready to start, with ${warned.length === 1 ? 'a warning' : 'warnings'}: ${warned.join(', ')}.`;
}

const CHOSEN: ReadonlySet<string> = new Set(['Base model', 'Adapter V1', 'New rows']);
