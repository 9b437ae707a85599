import '../elements/check-list.ts';
import '../elements/memory-bar.ts';
import { css, html, nothing } from 'lit';
import { customElement } from 'lit/decorators.js';
import { isActive } from '../shared/app-state.ts';
import { SessionView } from '../shared/session-view.ts';
import { shared } from '../shared/styles.ts';
import { checks } from './checks.ts';
import type { Asked } from './choices.ts';

/** Of a check that can be canceled or done again. */
type Named = CustomEvent<Asked | 'speed'>;

/** The checks before the start. */
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
      details summary {
        cursor: pointer;
        font-size: var(--small);
        color: var(--accent);
        padding: 0.2rem 0;
      }
    `,
  ];

  override render() {
    const { plan, run } = this.app;
    const { choices, speed } = this.session;
    const list = checks(this.app);
    const running = isActive(run);
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
    </section>`;
  }
}
