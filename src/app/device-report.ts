import { css, html, nothing } from 'lit';
import { customElement, query, state } from 'lit/decorators.js';
import type { Answer } from '../engine/protocol/protocol.ts';
import { counted } from '../formats/words.ts';
import { copyText } from '../platform/copy-text.ts';
import { type Finding, reportText } from '../run/diagnosis.ts';
import { safeText } from './shared/safe-text.ts';
import { SessionView } from './shared/session-view.ts';
import { shared } from './shared/styles.ts';

/** The report behind the device's name: the same lines as `retune doctor`. Fires `close`. */
@customElement('device-report')
export class DeviceReport extends SessionView {
  /** Undefined while the engine looks, and before it was asked. */
  @state() private report: Answer<Finding[]> | undefined;
  @state() private copied: boolean | undefined;
  @query('dialog') private dialog!: HTMLDialogElement;
  @query('textarea') private text?: HTMLTextAreaElement;
  #looks = 0;

  static override styles = [
    shared,
    css`
      dialog {
        width: min(46rem, calc(100vw - 2rem));
        max-height: calc(100dvh - 2rem);
        padding: 0;
        border: 1px solid var(--line);
        border-radius: var(--radius);
        background: var(--surface);
        color: var(--ink);
        box-shadow: var(--shadow);
      }
      dialog[open] {
        display: grid;
        grid-template-rows: auto minmax(0, 1fr) auto;
      }
      dialog::backdrop {
        background: rgb(0 0 0 / 45%);
      }
      .head,
      .foot {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 0.6rem 1rem;
        padding: 0.9rem 1.25rem;
      }
      .head {
        justify-content: space-between;
        border-bottom: 1px solid var(--line);
      }
      .foot {
        border-top: 1px solid var(--line);
      }
      .lines {
        overflow-y: auto;
        padding: 0.75rem 1.25rem 1rem;
      }
      .intro {
        padding-bottom: 0.6rem;
      }
      .finding {
        display: grid;
        grid-template-columns: 1.35rem minmax(0, 9rem) minmax(0, 1fr);
        gap: 0.15rem 0.75rem;
        padding: 0.5rem 0;
        border-top: 1px solid var(--line);
        font-size: var(--small);
        overflow-wrap: anywhere;
      }
      .mark {
        font-weight: 700;
        text-align: center;
        color: var(--good);
      }
      .look .mark {
        width: 1.35rem;
        height: 1.35rem;
        line-height: 1.35rem;
        border-radius: 50%;
        background: var(--warn);
        color: var(--surface);
      }
      .what {
        color: var(--ink-soft);
      }
      .remedies {
        grid-column: 3;
        display: grid;
        gap: 0.35rem;
        padding: 0.5rem 0.7rem;
        border-radius: var(--radius-small);
        background: var(--warn-soft);
      }
      .option {
        display: inline-block;
        max-width: 100%;
      }
      textarea {
        flex-basis: 100%;
        height: 8rem;
        font-family: var(--mono);
      }
      @media (max-width: 40rem) {
        .finding {
          grid-template-columns: 1.35rem minmax(0, 1fr);
        }
        .found,
        .remedies {
          grid-column: 2;
        }
      }
      @media print {
        dialog {
          display: none;
        }
      }
    `,
  ];

  /** Opens the report and looks again. */
  async show(): Promise<void> {
    const look = ++this.#looks;
    this.report = this.copied = undefined;
    this.dialog.showModal();
    const report = await this.session.diagnose().catch((error: unknown) => ({
      ok: false as const,
      sentence: `Unexpected error: ${error instanceof Error ? error.message : String(error)}.`,
    }));
    if (look === this.#looks) {
      this.report = report;
    }
  }

  override render() {
    return html`<dialog
      aria-labelledby="title"
      closedby="any"
      @close=${() => this.dispatchEvent(new Event('close'))}
    >
      <div class="head">
        <h2 id="title">This machine</h2>
        <button type="button" class="close" @click=${() => this.dialog.close()}>Close</button>
      </div>
      <div class="lines" tabindex="0" role="group" aria-labelledby="title">
        <p class="soft small intro" role="status">${this.#summary()}</p>
        ${
          this.report?.ok
            ? html`<ul>
                ${this.report.value.map((finding) => this.#finding(finding))}
              </ul>`
            : nothing
        }
      </div>
      <div class="foot">
        <button type="button" class="copy" ?disabled=${!this.report?.ok} @click=${() => void this.#copy()}>
          Copy for a bug report
        </button>
        <span class="soft small" role="status"
          >${
            this.copied === undefined
              ? 'No path and no name of yours is in it.'
              : this.copied
                ? 'Copied.'
                : 'The browser did not copy it: press Ctrl+C, or ⌘C on a Mac.'
          }</span
        >
        ${
          this.copied === false && this.report?.ok
            ? html`<textarea
                readonly
                aria-label="The report"
                .value=${reportText(this.report.value)}
              ></textarea>`
            : nothing
        }
      </div>
    </dialog>`;
  }

  #summary(): string {
    const { report } = this;
    if (!report) {
      return 'Looking at the GPU, its free memory and the storage…';
    }
    if (!report.ok) {
      return report.sentence;
    }
    const toDo = report.value.filter(({ remedies = [] }) => remedies.length > 0).length;
    return toDo === 0
      ? 'Everything is fine.'
      : `${counted(toDo, 'line')} marked ! ${toDo === 1 ? 'says' : 'say'} what you can do; the rest is fine.`;
  }

  #finding({ what, found, remedies = [] }: Finding) {
    const look = remedies.length > 0;
    return html`<li class="finding ${look ? 'look' : 'ok'}">
      <span class="mark" role="img" aria-label=${look ? 'To do' : 'Fine'}>${look ? '!' : '✓'}</span>
      <span class="what">${what}</span>
      <span class="found">${safeText(found)}</span>
      ${
        look
          ? html`<ul class="remedies">
              ${remedies.map((remedy) => html`<li>${withOptions(remedy)}</li>`)}
            </ul>`
          : nothing
      }
    </li>`;
  }

  async #copy(): Promise<void> {
    if (!this.report?.ok) {
      return;
    }
    this.copied = copyText(reportText(this.report.value));
    await this.updateComplete;
    this.text?.select();
  }
}

/** Options of a command line stay in one piece: a line would be broken between their two dashes. */
const withOptions = (text: string) =>
  text
    .split(/(--[\w=-]+)/)
    .map((part, i) => (i % 2 === 1 ? html`<span class="option">${safeText(part)}</span>` : safeText(part)));
