import '../elements/notice-bar.ts';
import './compare-view.ts';
import './test-again-view.ts';
import './test-list-view.ts';
import './test-progress-view.ts';
import './test-setup-view.ts';
import { css, html, nothing } from 'lit';
import { customElement } from 'lit/decorators.js';
import { isActive } from '../shared/app-state.ts';
import { safeText } from '../shared/safe-text.ts';
import { SessionView } from '../shared/session-view.ts';
import { shared } from '../shared/styles.ts';
import { missingFiles } from '../shared/test-files.ts';

/** Stage four: questions to several versions, and their scores. */
@customElement('test-view')
export class TestView extends SessionView {
  static override styles = [
    shared,
    css`
      :host {
        display: grid;
        gap: var(--gap);
      }
      .head {
        display: flex;
        flex-wrap: wrap;
        gap: 0.75rem 1.5rem;
        justify-content: space-between;
        align-items: end;
      }
      .head > div:first-child {
        min-width: 0;
        overflow-wrap: anywhere;
      }
      h2:focus:not(:focus-visible) {
        outline: none;
      }
      @media print {
        .head .row,
        notice-bar {
          display: none;
        }
      }
    `,
  ];

  protected override get stores() {
    return [this.session.store, this.session.tests.store];
  }

  override connectedCallback(): void {
    super.connectedCallback();
    void this.session.lineage.refresh();
    void this.session.tests.refresh();
    this.session.tests.seen();
  }

  override render() {
    const { session } = this;
    const { running, detail, refusal } = session.tests.store.state;
    const showing = running !== undefined || detail !== undefined;
    return html`${this.#head()}
    ${refusal ? html`<notice-bar kind="bad" role="alert" .text=${refusal}></notice-bar>` : nothing}
    ${running ? html`<test-progress-view .session=${session}></test-progress-view>` : nothing}
    ${detail && !running ? this.#unfinished() : nothing}
    ${detail ? html`<compare-view .session=${session}></compare-view>` : nothing}
    ${
      showing
        ? nothing
        : html`<test-setup-view .session=${session}></test-setup-view>
            <test-list-view .session=${session}></test-list-view>`
    }`;
  }

  #head() {
    const { running, detail } = this.session.tests.store.state;
    if (!running && !detail) {
      return html`<div class="head">
        <div>
          <h2 id="heading" tabindex="-1">Test</h2>
          <p class="soft">
            Ask several versions the same questions: where is the new one better, and where is it worse?
          </p>
        </div>
      </div>`;
    }
    const { name } = running ?? detail!.record;
    const title = running
      ? running.stopping
        ? 'Stopping the test…'
        : 'Testing'
      : detail!.record.status === 'finished'
        ? 'Side by side'
        : 'Unfinished test';
    return html`<div class="head">
      <div>
        <h2 id="heading" tabindex="-1">${title}</h2>
        <p class="soft small">${safeText(name)}</p>
      </div>
      <div class="row">
        ${
          running
            ? html`<button
                type="button"
                ?disabled=${running.stopping}
                @click=${() => void this.session.tests.stop()}
              >
                Stop the test
              </button>`
            : html`<button type="button" @click=${this.#back}>All tests</button>`
        }
      </div>
    </div>`;
  }

  #unfinished() {
    const { detail, again } = this.session.tests.store.state;
    const { record, versions } = detail!;
    if (record.status === 'finished') {
      return nothing;
    }
    const answered = versions.reduce(
      (sum, { answers }) => sum + answers.filter((answer) => answer !== undefined).length,
      0,
    );
    const busy = isActive(this.app.run);
    const missing = missingFiles(record, this.app.runs, again);
    const blocked = busy || missing.length > 0;
    const why = busy
      ? ' A run is using the GPU.'
      : missing.length > 0
        ? ' First choose the missing files again.'
        : '';
    const text = `${answered} of ${record.questions * versions.length} answers are saved.${why}`;
    return html`<notice-bar .text=${text}>
        <button
          slot="actions"
          aria-disabled=${blocked}
          @click=${() => !blocked && void this.session.tests.resume(record)}
        >
          Continue the test
        </button>
      </notice-bar>
      ${
        missing.length > 0
          ? html`<test-again-view .session=${this.session} .missing=${missing}></test-again-view>`
          : nothing
      }`;
  }

  readonly #back = async (): Promise<void> => {
    this.session.tests.close();
    await this.updateComplete;
    this.show();
  };

  /** Moves the focus to the stage. */
  show(): void {
    this.renderRoot.querySelector<HTMLElement>('#heading')?.focus();
  }
}
