import { css, html } from 'lit';
import { customElement, state } from 'lit/decorators.js';
import type { RunRecord } from '../../worker/protocol.ts';
import { safeText } from '../safe-text.ts';
import { isActive } from '../state/app-state.ts';
import { shared } from '../styles.ts';
import { showBytes } from '../../formats/words.ts';
import { SessionView } from './session-view.ts';

/** Runs that the browser has kept, to be opened or deleted. */
@customElement('runs-view')
export class RunsView extends SessionView {
  @state() private asking = '';

  static override styles = [
    shared,
    css`
      :host {
        display: block;
      }
      .row {
        justify-content: space-between;
        padding: 0.7rem 0;
        border-top: 1px solid var(--line);
      }
      li:first-child .row {
        border-top: 0;
        padding-top: 0.2rem;
      }
      p {
        overflow-wrap: anywhere;
      }
    `,
  ];

  override render() {
    const { runs, run } = this.app;
    const sorted = runs.toSorted((a, b) => b.created - a.created);
    return html`<h2 id="heading" tabindex="-1">Runs</h2>
      ${
        runs.length === 0
          ? html`<p class="soft">No run has been kept yet.</p>`
          : html`<div class="panel">
              <ul>
                ${sorted.map((record) => html`<li>${this.#row(record, isActive(run))}</li>`)}
              </ul>
            </div>`
      }`;
  }

  /** Hands the focus to the page of runs. */
  show(): void {
    this.renderRoot.querySelector<HTMLElement>('#heading')?.focus();
  }

  #row(record: RunRecord, locked: boolean) {
    const { id, name, created, status, step, maxSteps, checkpoints } = record;
    const bytes = checkpoints.reduce((sum, checkpoint) => sum + checkpoint.bytes, 0);
    const state =
      status === 'finished' ? `finished, ${maxSteps} steps` : `unfinished, step ${step} of ${maxSteps}`;
    const what = html`<div>
      <p><strong>${safeText(name)}</strong></p>
      <p class="soft small">
        ${new Date(created).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' })} · ${state} ·
        ${showBytes(bytes)}
      </p>
    </div>`;
    if (this.asking === id)
      return html`<div class="row">
        ${what}
        <span class="row" role="group" aria-label="Delete ${name}">
          <span class="small">Delete this run and its checkpoints for good?</span>
          <button type="button" @click=${() => void this.session.training.delete(id)}>Delete</button>
          <button type="button" @click=${() => (this.asking = '')}>Keep</button>
        </span>
      </div>`;
    return html`<div class="row">
      ${what}
      <span class="row">
        <button type="button" ?disabled=${locked} @click=${() => this.session.training.open(record)}>
          Open<span class="only-heard"> ${name}</span>
        </button>
        <button type="button" class="link" ?disabled=${locked} @click=${() => (this.asking = id)}>
          Delete<span class="only-heard"> ${name}</span>
        </button>
      </span>
    </div>`;
  }
}
