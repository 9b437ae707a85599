import '../elements/ask-once.ts';
import '../elements/choice-card.ts';
import '../elements/notice-bar.ts';
import { css, html, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { isApproval } from '../../corrections/correction.ts';
import type { TestRecord } from '../../engine/protocol/comparison.ts';
import type { PreparedCorrections, TrayCorrection } from '../../engine/protocol/corrections.ts';
import type { ChosenFile } from '../../engine/protocol/protocol.ts';
import { counted } from '../../formats/words.ts';
import { saveFile } from '../../platform/save-file.ts';
import { maxSteps } from '../../train/schedule.ts';
import { ROW_FILES } from '../elements/choice-card.ts';
import { isActive } from './app-state.ts';
import { SHARES, untrained } from './corrections.ts';
import { safeText } from './safe-text.ts';
import { SessionView } from './session-view.ts';
import { shared } from './styles.ts';
import { trayStyles } from './tray-styles.ts';
import { resultName } from './version-names.ts';

/** The corrections that wait, what will be trained on them, and the press that starts it. */
@customElement('correction-tray')
export class CorrectionTray extends SessionView {
  /** The test whose questions are asked again afterwards. */
  @property({ attribute: false }) test?: TestRecord | undefined;

  static override styles = [
    shared,
    css`
      :host {
        display: block;
      }
    `,
    trayStyles,
  ];

  protected override get stores() {
    return [this.session.store, this.session.corrections.store];
  }

  override render() {
    const { corrections } = this.session;
    const { run, tray, undo, said, problem } = corrections.store.state;
    const heard = html`<p class="only-heard" role="status">${said}</p>`;
    if (run === undefined || (tray.length === 0 && undo.length === 0)) {
      return problem ? html`${this.#problem(problem)}${heard}` : heard;
    }
    const waiting = untrained(tray);
    const [from, to] = this.#names(run);
    return html`<section class="panel" aria-labelledby="tray">
      <div class="bar">
        <div class="words">
          <h3 id="tray" tabindex="-1">
            ${counted(waiting.length, 'correction')}${tray.length > waiting.length ? html` <span class="soft small">and ${tray.length - waiting.length} trained already</span>` : nothing}
          </h3>
          ${this.#plan(waiting.length, from)}
        </div>
        <div class="row">
          ${
            undo.length > 0
              ? html`<button type="button" @click=${() => void corrections.undo()}>
                  Undo<span class="only-heard"> ${undo.at(-1)!.what}</span>
                </button>`
              : nothing
          }
          ${waiting.length > 0 ? this.#start(waiting.length, to) : nothing}
        </div>
      </div>
      ${problem ? this.#problem(problem) : nothing} ${tray.length > 0 ? this.#details(tray, from) : nothing}
      ${heard}
    </section>`;
  }

  #problem(text: string) {
    return html`<notice-bar kind="bad" role="alert" .text=${text}></notice-bar>`;
  }

  #names(run: string): [from: string, to: string] {
    const from = resultName(run, this.app.runs);
    return [from, `V${Number(from.slice(1)) + 1}`];
  }

  /** What will be trained, in one line. */
  #plan(waiting: number, from: string) {
    const { prepared } = this.session.corrections.store.state;
    if (waiting === 0) {
      return html`<p class="soft small">
        Correct an answer, and it waits here to be trained on top of ${from}.
      </p>`;
    }
    if (!prepared) {
      return html`<p class="soft small">Making the rows…</p>`;
    }
    if (!prepared.ok) {
      return html`<p class="small bad" role="alert">${safeText(prepared.sentence)}</p>`;
    }
    return html`<p class="soft small">${planWords(prepared.value, from, this.test)}</p>`;
  }

  #start(waiting: number, to: string) {
    const { corrections } = this.session;
    const { prepared, starting } = corrections.store.state;
    const busy = isActive(this.app.run) || this.session.tests.store.state.running !== undefined;
    const blocked = busy || starting || !prepared?.ok || this.app.elsewhere !== undefined;
    return html`<button
      type="button"
      class="primary"
      aria-disabled=${blocked}
      title=${busy ? 'The GPU is in use; wait until that has finished.' : ''}
      @click=${() => !blocked && void corrections.train(this.test)}
    >
      Train ${to} on ${counted(waiting, 'correction')}
    </button>`;
  }

  #details(tray: readonly TrayCorrection[], from: string) {
    const { corrections } = this.session;
    const { share, prepared } = corrections.store.state;
    const value = prepared?.ok ? prepared.value : undefined;
    return html`<details>
      <summary>What is trained, and how</summary>
      <div class="inside">
        <label class="share">
          Earlier rows, against forgetting
          <select
            @change=${(event: Event) => corrections.setShare(Number((event.target as HTMLSelectElement).value))}
          >
            ${SHARES.map(
              (one) =>
                html`<option value=${one} ?selected=${one === share}>
                  ${one === 0 ? 'none' : `${100 * one}% of all rows`}
                </option>`,
            )}
          </select>
        </label>
        ${value?.missing.map(({ run, file }) => this.#missing(run, file, from))}
        ${value?.notes.map((note) => html`<p class="soft small">${safeText(note)}</p>`)}
        ${
          value && value.changes.length > 0
            ? html`<p class="soft small">
                As ${from} was trained, but for so few rows with ${safeText(value.changes.join('; '))}.
              </p>`
            : nothing
        }
        <ol class="list">
          ${tray.map((one) => this.#item(one))}
        </ol>
        <div class="row">
          ${
            value
              ? html`<button type="button" @click=${() => saveFile(value.train.file.name, value.train.file)}>
                    Download the rows (.jsonl)
                  </button>
                  <button type="button" @click=${() => void corrections.review()}>
                    Look at the settings first
                  </button>`
              : nothing
          }
          <ask-once
            word="Empty the tray"
            subject=""
            question="Remove all ${counted(tray.length, 'correction')}?"
            @confirmed=${this.#empty}
          ></ask-once>
        </div>
      </div>
    </details>`;
  }

  #missing(run: string, file: string, from: string) {
    return html`<choice-card
      .slotName=${`earlier-${run}`}
      heading="Earlier rows"
      kind="file"
      .accept=${ROW_FILES}
      .hint=${`This browser has no way to ${file}, which ${from} or a version before it was trained on. Choose it, and some of its rows are trained again.`}
      .quiet=${true}
      @chosen=${(event: CustomEvent<ChosenFile>) => this.session.corrections.give(run, event.detail)}
    ></choice-card>`;
  }

  #item(one: TrayCorrection) {
    const approved = isApproval(one);
    return html`<li>
      <p class="question">
        ${safeText(one.question)}
        ${one.history && one.history.length > 0 ? html`<span class="soft small"> after ${counted(one.history.length, 'turn')}</span>` : nothing}
      </p>
      ${
        approved
          ? nothing
          : html`<p class="was">
              <span class="only-heard">${safeText(one.version)} answered: </span
              ><del class="text">${safeText(one.was)}</del>
            </p>`
      }
      <p class="answer">
        <span class="only-heard">${approved ? 'Approved' : 'Corrected'}: </span
        ><span class="text">${safeText(one.answer)}</span>
      </p>
      <div class="row">
        <span class="soft small">
          ${approved ? '✓ approved' : 'corrected'}${one.trainedIn ? html`, trained into ${safeText(one.trainedIn.name)}` : nothing}
        </span>
        <button type="button" class="link" @click=${() => this.#remove(one)}>
          Remove<span class="only-heard"> the correction of: ${safeText(one.question)}</span>
        </button>
      </div>
    </li>`;
  }

  async #remove(one: TrayCorrection): Promise<void> {
    await this.session.corrections.remove(one);
    await this.#focus();
  }

  readonly #empty = async (): Promise<void> => {
    await this.session.corrections.empty();
    await this.#focus();
  };

  /** What was pressed is gone. */
  async #focus(): Promise<void> {
    await this.updateComplete;
    this.renderRoot.querySelector<HTMLElement>('#tray')?.focus();
  }
}

function planWords(prepared: PreparedCorrections, from: string, test: TestRecord | undefined): string {
  const { corrections, replayed, available, validation, recipe, form } = prepared;
  const { batchSize: batch, accumulationSteps: accumulation, epochs } = recipe.training;
  const rows = corrections + replayed;
  const steps = maxSteps({ rows, batch, accumulation }, epochs);
  const earlier =
    available === 0
      ? 'no earlier rows'
      : replayed === 0
        ? `none of ${available} earlier rows`
        : `${replayed} of ${available} earlier rows`;
  return [
    `On top of ${from}, with ${earlier}, as ${form}`,
    `${counted(epochs, 'epoch')}, ${counted(steps, 'step')}`,
    validation ? `evaluated on ${validation.file.name}` : 'without validation rows',
    ...(test ? [`then asked ${test.questionsFile} again`] : []),
  ].join(' · ');
}
