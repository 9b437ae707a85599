import '../elements/notice-bar.ts';
import { css, html, nothing } from 'lit';
import { customElement } from 'lit/decorators.js';
import { showShare } from '../../formats/words.ts';
import { SessionView } from '../shared/session-view.ts';
import { shared } from '../shared/styles.ts';

/** On the other stages: that a test is running, or was interrupted. */
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
    const { running, detail, records } = this.session.tests.store.state;
    const open = detail?.record.status === 'unfinished' ? detail.record : undefined;
    if (this.app.view === 'test' || (!running && !open)) {
      return nothing;
    }
    const { answered = 0, total = 0 } = running?.progress ?? {};
    const left = records.find(({ id }) => id === open?.id) ?? open;
    const have = left?.versions.reduce((sum, version) => sum + version.answered, 0) ?? 0;
    const text = running
      ? `The test ${running.name} is running: ${showShare(answered, total)} of its answers are done.`
      : `The test ${open!.name} is unfinished: ${have} of ${open!.questions * open!.versions.length} answers are done.`;
    return html`<notice-bar .text=${text}>
      <button slot="actions" type="button" @click=${() => this.session.store.update({ view: 'test' })}>
        Show the test
      </button>
    </notice-bar>`;
  }
}
