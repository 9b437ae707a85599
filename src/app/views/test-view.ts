import { css, html } from 'lit';
import { customElement } from 'lit/decorators.js';
import { shared } from '../styles.ts';
import { SessionView } from './session-view.ts';

/** Stage four: questions to several versions, and what their answers come to. */
@customElement('test-view')
export class TestView extends SessionView {
  static override styles = [
    shared,
    css`
      :host {
        display: block;
      }
    `,
  ];

  override render() {
    return html`<h2 id="heading" tabindex="-1">Test</h2>`;
  }

  /** Hands the focus to the stage. */
  show(): void {
    this.renderRoot.querySelector<HTMLElement>('#heading')?.focus();
  }
}
