import '../elements/notice-bar.ts';
import { css, html, nothing } from 'lit';
import { customElement } from 'lit/decorators.js';
import { showShare } from '../../formats/words.ts';
import { SessionView } from '../shared/session-view.ts';
import { shared } from '../shared/styles.ts';

/** On the other stages: that a test is running, was interrupted, or has finished meanwhile. */
@customElement('test-notice-view')
export class TestNoticeView extends SessionView {
  static override styles = [
    shared,
    css`
      notice-bar {
        margin-bottom: 1rem;
      }
      @media print {
        :host {
          display: none;
        }
      }
    `,
  ];

  protected override get stores() {
    return [this.session.store, this.session.tests.store];
  }

  override render() {
    const { running, detail, records, unseen } = this.session.tests.store.state;
    const open = detail?.record.status === 'unfinished' ? detail.record : undefined;
    if (this.app.view === 'test' || (!running && !open && !unseen)) {
      return nothing;
    }
    if (unseen && !running) {
      const names = unseen.versions.map(({ name }) => name).join(' and ');
      const text = `The test ${unseen.name} has finished: the answers of ${names} stand side by side.`;
      return this.#notice('good', text, () => void this.session.tests.open(unseen.id));
    }
    const { answered = 0, total = 0 } = running?.progress ?? {};
    const left = records.find(({ id }) => id === open?.id) ?? open;
    const have = left?.versions.reduce((sum, version) => sum + version.answered, 0) ?? 0;
    const text = running
      ? `The test ${running.name} is running: ${showShare(answered, total)} of its answers are done.`
      : `The test ${open!.name} is unfinished: ${have} of ${open!.questions * open!.versions.length} answers are done.`;
    return this.#notice('info', text, () => undefined);
  }

  #notice(kind: 'good' | 'info', text: string, open: () => void) {
    return html`<notice-bar .kind=${kind} .text=${text}>
      <button
        slot="actions"
        type="button"
        @click=${() => {
          open();
          this.session.store.update({ view: 'test' });
        }}
      >
        Show the test
      </button>
    </notice-bar>`;
  }
}
