import './elements/notice-bar.ts';
import { css, html, nothing } from 'lit';
import { customElement } from 'lit/decorators.js';
import { workNoun } from '../engine/protocol/device-work.ts';
import type { Elsewhere } from '../engine/protocol/protocol.ts';
import { browserProblem } from '../platform/browser.ts';
import { isActive, type Unfinished } from './shared/app-state.ts';
import { SessionView } from './shared/session-view.ts';
import { shared } from './shared/styles.ts';
import { resultName } from './shared/version-names.ts';
import { chosenAgain } from './training/missing-inputs.ts';

/** Notices above every stage: what is missing on this machine, an unfinished run, a new version of the page. */
@customElement('page-notices')
export class PageNotices extends SessionView {
  static override styles = [
    shared,
    css`
      notice-bar {
        margin-bottom: 1rem;
      }
    `,
  ];

  override render() {
    const {
      device,
      storage,
      crash,
      unresponsive,
      refusal,
      gone,
      question,
      unfinished,
      elsewhere,
      run,
      view,
    } = this.app;
    const browser = browserProblem();
    const software = device?.ok && device.value.software;
    return html`${browser ? html`<notice-bar kind="warn" .text=${browser}></notice-bar>` : nothing}
    ${
      device && !device.ok
        ? html`<notice-bar kind="bad" role="alert" .text=${device.sentence}>${this.#toReport()}</notice-bar>`
        : nothing
    }
    ${storage?.ok === false ? this.#nothingKept(storage.sentence) : nothing}
    ${
      software && !isActive(run)
        ? html`<notice-bar
            kind="warn"
            text="Chrome offers only a software device here: results are right, but training takes hundreds of times longer. The demo runs on it; for a model of your own, let Chrome use the GPU."
            >${this.#toReport()}</notice-bar
          >`
        : nothing
    }
    ${
      crash
        ? html`<notice-bar
            kind="bad"
            role="alert"
            .text=${`Unexpected error: ${crash}. Reload the page; your checkpoints are safe.`}
            ><button slot="actions" @click=${() => location.reload()}>Reload</button></notice-bar
          >`
        : nothing
    }
    ${
      unresponsive
        ? html`<notice-bar
            kind="warn"
            role="alert"
            text="The engine is not responding: it is busy with something long, or stuck in a file. You can end it now; checkpoints and answers that it has saved stay, and you can resume from them."
            ><button slot="actions" @click=${() => this.session.watch.end()}>End it now</button></notice-bar
          >`
        : nothing
    }
    ${refusal ? html`<notice-bar kind="warn" role="alert" .text=${refusal}></notice-bar>` : nothing}
    ${
      question
        ? html`<notice-bar class="question" kind="warn" role="alert" .text=${question.text}
            ><button slot="actions" type="button" @click=${() => question.cancel()}>
              Cancel
            </button></notice-bar
          >`
        : nothing
    }
    ${gone ? html`<notice-bar class="gone" role="alert" .text=${gone}></notice-bar>` : nothing}
    ${elsewhere && !isActive(run) ? this.#elsewhere(elsewhere) : nothing}
    ${view === 'setup' && !isActive(run) ? html`${this.#waiting()}${this.#chooseAgain()}` : nothing}
    ${unfinished && !elsewhere && view === 'setup' && !isActive(run) ? this.#unfinished(unfinished) : nothing}
    ${view === 'setup' && !run && !elsewhere ? this.#finished() : nothing}
    ${
      this.app.updateReady && !isActive(run) && !elsewhere
        ? html`<notice-bar text="A new version of Retune is available."
            ><button slot="actions" @click=${() => void this.session.takeUpdate()}>
              Reload to update
            </button></notice-bar
          >`
        : nothing
    }`;
  }

  #toReport() {
    return html`<button slot="actions" type="button" @click=${() => this.dispatchEvent(new Event('report'))}>
      What to do
    </button>`;
  }

  #nothingKept(sentence: string) {
    const text = `${sentence} Until then you can look at files and plan a run, but not train or test: nothing of it would stay.`;
    return html`<notice-bar class="storage" kind="bad" role="alert" .text=${text}>
      <button slot="actions" @click=${() => void this.session.lookAgain()}>Look again</button>
    </notice-bar>`;
  }

  /** A result is one press away after a reload, too. */
  #finished() {
    const finished = this.app.runs.filter(({ status }) => status === 'finished');
    const [latest] = finished.toSorted((a, b) => b.created - a.created);
    const { unfinished } = this.app;
    if (!latest || (unfinished && unfinished.record.created > latest.created)) {
      return nothing;
    }
    const text = `The run ${latest.name} has finished; its ${resultName(latest.id, this.app.runs)} is kept in this browser, under Runs.`;
    return html`<notice-bar class="finished" kind="good" .text=${text}>
      <button slot="actions" type="button" @click=${() => this.session.training.open(latest)}>Open it</button>
    </notice-bar>`;
  }

  #waiting() {
    const { waiting } = this.app;
    if (waiting.length === 0) {
      return nothing;
    }
    const names = waiting.map(({ name }) => name).join(', ');
    const text = `You had chosen ${names}. The browser asks again before Retune may read them.`;
    return html`<notice-bar .text=${text}>
      <button slot="actions" @click=${() => void this.session.kept.readWaiting()}>Choose them again</button>
    </notice-bar>`;
  }

  /** Of a run that is run again, what is still to be chosen. */
  #chooseAgain() {
    const left = this.app.chooseAgain.filter(({ slot }) => !this.app.slots[slot].chosen);
    if (left.length === 0) {
      return nothing;
    }
    const names = left.map(({ name }) => name).join(', ');
    const text = `This browser keeps no way to ${names} any more: choose ${left.length === 1 ? 'it' : 'them'} again below.`;
    return html`<notice-bar class="again" .text=${text}></notice-bar>`;
  }

  #elsewhere({ name, doing }: Elsewhere) {
    const text = `Another tab of this browser is ${doing} ${name}. Only one tab can use the GPU at a time: the ${workNoun(doing)} continues there, and this tab is free again when it ends.`;
    return html`<notice-bar class="elsewhere" .text=${text}>
      <button slot="actions" @click=${() => void this.session.training.look()}>Look again</button>
    </notice-bar>`;
  }

  #unfinished({ record, choose, restartsExhausted }: Unfinished) {
    const { name, step, maxSteps, inputs } = record;
    const ready = chosenAgain(choose, this.app.slots) !== undefined;
    const files = choose.map((part) => inputs[part]).join(', ');
    const same = choose.length === 1 ? 'the same one' : 'the same files';
    const what = ready ? '' : ` To resume it, choose ${same} again below: ${files}.`;
    const why = restartsExhausted
      ? ' It resumed three times without reaching a new checkpoint, so it is waiting for you: close other tabs and programs that use the GPU or a lot of memory, then continue.'
      : '';
    const state = record.paused ? 'paused' : 'unfinished';
    const text = `The run ${name} is ${state}, at step ${step} of ${maxSteps}.${why}${what}`;
    return html`<notice-bar kind=${restartsExhausted ? 'warn' : 'info'} .text=${text}>
      <button
        slot="actions"
        class="continue"
        aria-disabled=${!ready}
        @click=${() => ready && void this.session.training.resume(record)}
      >
        Continue the run
      </button>
    </notice-bar>`;
  }
}
