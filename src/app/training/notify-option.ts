import { css, html, nothing } from 'lit';
import { customElement } from 'lit/decorators.js';
import { notifyPermission } from '../../platform/notify.ts';
import { SessionView } from '../shared/session-view.ts';
import { shared } from '../shared/styles.ts';

/** Whether the user wants to be notified of the run's end. */
@customElement('notify-option')
export class NotifyOption extends SessionView {
  static override styles = [
    shared,
    css`
      :host {
        display: block;
      }
      p {
        color: var(--warn);
      }
    `,
  ];

  override render() {
    if (notifyPermission() === undefined) {
      return nothing;
    }
    const { notifying, notifyProblem } = this.app;
    return html`<label class="check small"
        ><input
          type="checkbox"
          .checked=${notifying}
          @change=${(event: Event) => void this.session.endNotice.want((event.target as HTMLInputElement).checked)}
        />Notify me when it ends</label
      >
      ${notifyProblem ? html`<p class="small" role="status">${notifyProblem}</p>` : nothing}`;
  }
}
