import { css, html, nothing } from 'lit';
import { customElement } from 'lit/decorators.js';
import { browserProblem } from '../platform/browser.ts';
import './elements/notice-bar.ts';
import type { Elsewhere } from '../engine/protocol/protocol.ts';
import { isActive, type Unfinished } from './shared/app-state.ts';
import { chosenAgain } from './training/unfinished.ts';
import { shared } from './shared/styles.ts';
import { SessionView } from './shared/session-view.ts';

/** What stands above every stage: what is missing on this machine, a run left unfinished, a newer version. */
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
    const { device, storage, crash, deaf, refusal, unfinished, elsewhere, run, view } = this.app;
    const browser = browserProblem();
    const software = device?.ok && device.value.software;
    return html`${browser ? html`<notice-bar kind="warn" .text=${browser}></notice-bar>` : nothing}
    ${device && !device.ok ? html`<notice-bar kind="bad" role="alert" .text=${device.sentence}></notice-bar>` : nothing}
    ${storage?.ok === false ? this.#nothingKept(storage.sentence) : nothing}
    ${
      software && !isActive(run)
        ? html`<notice-bar
            kind="warn"
            text="Chrome offers only a software device here: results are right, but training takes hundreds of times longer. On a PC with a GPU, update its driver and turn on graphics acceleration in chrome://settings/system."
          ></notice-bar>`
        : nothing
    }
    ${
      crash
        ? html`<notice-bar
            kind="bad"
            role="alert"
            .text=${`Something broke that should not have: ${crash}. Reload the page; checkpoints are safe.`}
            ><button slot="actions" @click=${() => location.reload()}>Reload</button></notice-bar
          >`
        : nothing
    }
    ${
      deaf
        ? html`<notice-bar
            kind="warn"
            role="alert"
            text="The engine does not answer: it works on something long, or is stuck in a file. It can be ended at once; what it has kept (checkpoints, answers) stays, and can be gone on from."
            ><button slot="actions" @click=${() => this.session.watch.end()}>End it now</button></notice-bar
          >`
        : nothing
    }
    ${refusal ? html`<notice-bar kind="warn" role="alert" .text=${refusal}></notice-bar>` : nothing}
    ${elsewhere && !isActive(run) ? this.#elsewhere(elsewhere) : nothing}
    ${unfinished && !elsewhere && view === 'setup' && !isActive(run) ? this.#unfinished(unfinished) : nothing}
    ${view === 'setup' && !isActive(run) ? this.#waiting() : nothing}
    ${
      this.app.updateReady && !isActive(run) && !elsewhere
        ? html`<notice-bar text="A newer version of Retune is here."
            ><button slot="actions" @click=${() => void this.session.takeUpdate()}>
              Reload with it
            </button></notice-bar
          >`
        : nothing
    }`;
  }

  #nothingKept(sentence: string) {
    const text = `${sentence} Until then you can look at files and plan a run, but not train or test: nothing of it would stay.`;
    return html`<notice-bar class="storage" kind="bad" role="alert" .text=${text}>
      <button slot="actions" @click=${() => void this.session.lookAgain()}>Look again</button>
    </notice-bar>`;
  }

  #waiting() {
    const { waiting } = this.app;
    if (waiting.length === 0) return nothing;
    const names = waiting.map(({ name }) => name).join(', ');
    const text = `You had chosen ${names}. The browser asks once more before Retune may read them.`;
    return html`<notice-bar .text=${text}>
      <button slot="actions" @click=${() => void this.session.kept.readWaiting()}>Choose them again</button>
    </notice-bar>`;
  }

  #elsewhere({ name, doing }: Elsewhere) {
    const text = `Another tab of this browser is ${doing} ${name}. One tab has the GPU at a time: ${doing === 'testing' ? 'the test' : 'the run'} goes on there, and this tab is free again once it has ended.`;
    return html`<notice-bar class="elsewhere" .text=${text}>
      <button slot="actions" @click=${() => void this.session.training.look()}>Look again</button>
    </notice-bar>`;
  }

  #unfinished({ record, choose, fruitless }: Unfinished) {
    const { name, step, maxSteps, inputs } = record;
    const ready = chosenAgain(choose, this.app.slots) !== undefined;
    const files = choose.map((part) => inputs[part]).join(', ');
    const same = choose.length === 1 ? 'the same one' : 'the same files';
    const what = ready ? '' : ` Choose ${same} again below to go on with it: ${files}.`;
    const why = fruitless
      ? ' It went on by itself three times without reaching a new checkpoint, so it waits for you: close other tabs and programs that use the GPU or much memory, then continue.'
      : '';
    const text = `The run ${name} is unfinished, at step ${step} of ${maxSteps}.${why}${what}`;
    return html`<notice-bar kind=${fruitless ? 'warn' : 'info'} .text=${text}>
      <button
        slot="actions"
        class="continue"
        aria-disabled=${!ready}
        @click=${() => ready && void this.session.training.goOn(record)}
      >
        Continue the run
      </button>
    </notice-bar>`;
  }
}
