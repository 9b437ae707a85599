import { css, html } from 'lit';
import { customElement } from 'lit/decorators.js';
import { changesSaid, type Heard, testSaid, workSaid } from './heard.ts';
import { SessionView } from './shared/session-view.ts';
import { shared } from './shared/styles.ts';
import { announced, runTitle } from './training/announced.ts';

/** What a screen reader is told while it happens, whatever stage is shown: each in a polite region of its own. */
@customElement('live-status')
export class LiveStatus extends SessionView {
  #before: Heard | undefined;
  #said = '';

  static override styles = [
    shared,
    css`
      :host {
        display: block;
      }
    `,
  ];

  protected override get stores() {
    const { store, tests, lineage, storage } = this.session;
    return [store, tests.store, lineage.store, storage.store];
  }

  override willUpdate(): void {
    const { tests, lineage, storage } = this.session;
    const now: Heard = {
      runs: this.app.runs,
      tests: tests.store.state.records,
      testing: tests.store.state.running,
      work: lineage.store.state,
      storage: storage.store.state,
    };
    this.#said = changesSaid(this.#before ?? now, now) ?? this.#said;
    this.#before = now;
  }

  override render() {
    const { run, runs } = this.app;
    const { tests, lineage } = this.session;
    return [
      run ? announced(run, runTitle(run, runs)) : '',
      testSaid(tests.store.state.running),
      workSaid(lineage.store.state),
      this.#said,
    ].map((text) => html`<p class="only-heard" role="status">${text}</p>`);
  }
}
