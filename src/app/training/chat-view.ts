import { css, html, nothing } from 'lit';
import { customElement, query, state } from 'lit/decorators.js';
import type { ChatVersion } from '../../engine/protocol/protocol.ts';
import type { ChatTurn } from '../shared/app-state.ts';
import { DEMO_QUESTIONS, isDemoBase } from '../shared/demo.ts';
import { safeText } from '../shared/safe-text.ts';
import { SessionView } from '../shared/session-view.ts';
import { shared } from '../shared/styles.ts';
import { resultName, sourceName } from '../shared/version-names.ts';

/** A question to base, source adapter and result, their answers side by side. */
@customElement('chat-view')
export class ChatView extends SessionView {
  @state() private chosen: readonly ChatVersion[] = ['v1', 'v2'];
  @state() private greedy = true;
  @query('textarea') private box!: HTMLTextAreaElement;

  static override styles = [
    shared,
    css`
      :host {
        display: block;
        grid-column: 1 / -1;
      }
      .panel,
      form {
        display: grid;
        gap: 0.8rem;
      }
      fieldset {
        border: 0;
        margin: 0;
        padding: 0;
        display: flex;
        flex-wrap: wrap;
        gap: 0.4rem 1.1rem;
        align-items: center;
        font-size: var(--small);
      }
      legend {
        float: left;
        margin-right: 1rem;
        color: var(--ink-soft);
        padding: 0;
      }
      textarea {
        min-height: 4.5rem;
        resize: vertical;
      }
      label.greedy {
        margin-left: 0.75rem;
        margin-right: auto;
      }
      .question {
        font-weight: 550;
        white-space: pre-wrap;
        overflow-wrap: anywhere;
        border-left: 3px solid var(--accent);
        padding-left: 0.75rem;
        margin-bottom: 0.6rem;
      }
      .answers {
        display: grid;
        grid-template-columns: repeat(auto-fit, minmax(min(14rem, 100%), 1fr));
        gap: 0.75rem;
      }
      article {
        background: var(--sunken);
        border-radius: var(--radius-small);
        padding: 0.7rem 0.9rem;
        min-width: 0;
      }
      h4 {
        font-size: var(--tiny);
        color: var(--ink-soft);
        margin-bottom: 0.3rem;
      }
      .text {
        white-space: pre-wrap;
        overflow-wrap: anywhere;
        unicode-bidi: isolate;
        font-size: 0.9375rem;
      }
      .failed .text {
        color: var(--bad);
      }
      .caret {
        display: inline-block;
        width: 0.5em;
        height: 1em;
        vertical-align: text-bottom;
        background: var(--accent);
        animation: blink 1s steps(2) infinite;
      }
      @keyframes blink {
        50% {
          opacity: 0;
        }
      }
    `,
  ];

  #name(version: ChatVersion): string {
    const { run, runs } = this.app;
    if (version === 'base') {
      return 'Base';
    }
    return version === 'v1' ? sourceName(run?.id, runs) : resultName(run?.id, runs);
  }

  override render() {
    const { chat, chatBusy, run, runs } = this.app;
    const versions: ChatVersion[] = run?.hasSource ? ['base', 'v1', 'v2'] : ['base', 'v2'];
    const asked = versions.filter((version) => this.chosen.includes(version));
    return html`<section class="panel" aria-labelledby="try">
      <h3 id="try">Try it</h3>
      ${chat.map((turn) => this.#turn(turn))}
      ${
        isDemoBase(runs.find(({ id }) => id === run?.id)?.inputs.base ?? '')
          ? html`<p class="row" aria-label="Questions of the demo">
              ${DEMO_QUESTIONS.map(
                (question) =>
                  html`<button
                    type="button"
                    ?disabled=${chatBusy || asked.length === 0}
                    @click=${() => this.#put(question, asked)}
                  >
                    ${question}
                  </button>`,
              )}
            </p>`
          : nothing
      }
      <form @submit=${(event: Event) => this.#ask(event, asked)}>
        <label class="only-heard" for="question">Question</label>
        <textarea
          id="question"
          placeholder="Ask something that the new rows teach"
          @keydown=${(event: KeyboardEvent) => {
            if (event.key === 'Enter' && !event.shiftKey) {
              this.#ask(event, asked);
            }
          }}
        ></textarea>
        <div class="row">
          <fieldset>
            <legend>Answered by</legend>
            ${versions.map(
              (version) =>
                html`<label class="check"
                  ><input
                    type="checkbox"
                    .checked=${this.chosen.includes(version)}
                    @change=${() => this.#toggle(version)}
                  />${this.#name(version)}</label
                >`,
            )}
          </fieldset>
          <label class="check greedy"
            ><input
              type="checkbox"
              .checked=${this.greedy}
              @change=${(event: Event) => (this.greedy = (event.target as HTMLInputElement).checked)}
            />Deterministic (greedy)</label
          >
          ${
            chatBusy
              ? html`<button type="button" @click=${() => void this.session.chat.stop()}>Stop</button>`
              : nothing
          }
          <button type="submit" ?disabled=${chatBusy || asked.length === 0}>
            ${chatBusy ? 'Answering…' : 'Ask'}
          </button>
        </div>
      </form>
    </section>`;
  }

  #turn({ question, answers }: ChatTurn) {
    return html`<div>
      <p class="question">${safeText(question)}</p>
      <div class="answers">
        ${answers.map(
          ({ version, text, state }) =>
            html`<article class=${state} aria-busy=${state === 'waiting' || state === 'streaming'}>
              <h4>${this.#name(version)}${state === 'waiting' ? ', waiting' : ''}</h4>
              ${this.#text(text, state)}
            </article>`,
        )}
      </div>
    </div>`;
  }

  /** Line breaks count here, so the template has none of its own. */
  #text(text: string, state: string) {
    const caret = state === 'streaming' ? html`<span class="caret" aria-hidden="true"></span>` : nothing;
    return html`<p class="text">${safeText(text)}${caret}</p>`;
  }

  #toggle(version: ChatVersion): void {
    const has = this.chosen.includes(version);
    this.chosen = has ? this.chosen.filter((other) => other !== version) : [...this.chosen, version];
  }

  #ask(event: Event, versions: readonly ChatVersion[]): void {
    event.preventDefault();
    const question = this.box.value.trim();
    if (!question || this.app.chatBusy || versions.length === 0) {
      return;
    }
    this.box.value = '';
    this.#put(question, versions);
  }

  #put(question: string, versions: readonly ChatVersion[]): void {
    const { run } = this.app;
    const files = this.session.choices.inputs();
    const options = { greedy: this.greedy, ...(files ? { files } : {}) };
    void this.session.chat.ask(run!.id!, question, versions, options);
  }
}
