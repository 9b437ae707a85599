import { css, html, LitElement } from 'lit';
import { mib } from '../gpu/memory.ts';
import { startEngine } from '../worker/client.ts';
import type { Answer, DeviceFacts } from '../worker/protocol.ts';

/** The page: for now it says what the engine's worker found on this machine. */
export class RetuneApp extends LitElement {
  static override properties = { report: { state: true } };
  declare report: Answer<DeviceFacts> | undefined;

  static override styles = css`
    :host {
      display: block;
      max-width: 40rem;
      margin: 12vh auto;
      padding: 0 1.5rem;
      font:
        1rem/1.6 system-ui,
        sans-serif;
    }
    h1 {
      font-size: 2.25rem;
      letter-spacing: -0.02em;
      margin: 0 0 0.5rem;
    }
    [role='status'] {
      border-left: 4px solid #2f7a73;
      padding: 0.25rem 1rem;
    }
    code {
      font-size: 0.95em;
    }
  `;

  override connectedCallback(): void {
    super.connectedCallback();
    void startEngine()
      .device()
      .then((report) => (this.report = report));
  }

  override render() {
    return html`<main>
      <h1>Retune</h1>
      <p>Continues the fine-tuning of a LoRA adapter on your own GPU. Nothing is uploaded.</p>
      <p role="status">${this.#device()}</p>
      <p>The engine runs from the command line today: <code>npm run -s retune -- --help</code></p>
    </main>`;
  }

  #device() {
    const { report } = this;
    if (!report) return 'Looking for a GPU…';
    if (!report.ok) return report.sentence;
    const { name, software, maxBufferBytes } = report.value;
    const kind = software ? ', a software device: right, and very slow' : '';
    return `The engine can use ${name}${kind} (buffers up to ${mib(maxBufferBytes)} MiB).`;
  }
}

customElements.define('retune-app', RetuneApp);
