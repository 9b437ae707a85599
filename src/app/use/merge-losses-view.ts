import '../elements/choice-card.ts';
import '../elements/notice-bar.ts';
import '../elements/progress-line.ts';
import { css, html, nothing } from 'lit';
import { customElement } from 'lit/decorators.js';
import type { ChosenFile, RunRecord } from '../../engine/protocol/protocol.ts';
import { counted } from '../../formats/words.ts';
import type { Phase } from '../../run/events.ts';
import { ROW_FILES } from '../elements/choice-card.ts';
import { isActive } from '../shared/app-state.ts';
import { phaseAmount, phaseText } from '../shared/run-events.ts';
import { safeText } from '../shared/safe-text.ts';
import { SessionView } from '../shared/session-view.ts';
import { shared } from '../shared/styles.ts';
import type { Measured } from './merge-losses.ts';
import { FORM_TEXTS, ONTO_NAMES } from './use-texts.ts';

/** What is worked on, where the words for a run do not fit. */
const PHASES: Readonly<Partial<Record<Phase, string>>> = {
  hashing: 'Checking that this is the base',
  'loading the base': 'Loading weights onto the GPU',
  evaluating: 'Evaluating the rows',
};

/** Measures what merging changes: the loss of an adapter as it was trained, and of the weights as they are written. */
@customElement('merge-losses-view')
export class MergeLossesView extends SessionView {
  static override styles = [
    shared,
    css`
      :host {
        display: block;
      }
      .panel {
        display: grid;
        gap: 0.9rem;
      }
      .ended {
        display: grid;
        gap: 0.4rem;
      }
      .table {
        overflow-x: auto;
      }
      table {
        border-collapse: collapse;
        font-size: var(--small);
      }
      th,
      td {
        padding: 0.25rem 0.9rem 0.25rem 0;
        text-align: left;
        vertical-align: top;
      }
      td {
        text-align: right;
        font-variant-numeric: tabular-nums;
      }
      tbody th {
        font-weight: 400;
      }
      :is(th, td):last-child {
        padding-right: 0;
      }
      @media (max-width: 40rem) {
        th,
        td {
          padding-right: 0.6rem;
        }
      }
    `,
  ];

  protected override get stores() {
    const { store, use, tests } = this.session;
    return [store, use.store, use.losses.store, tests.store];
  }

  override render() {
    const { losses, store } = this.session.use;
    const { used, form } = store.state;
    if (!used || form === 'gguf-lora') {
      return nothing;
    }
    const { rows, measured, work, said } = losses.store.state;
    const own = ownRows(used.record);
    return html`<section class="panel" aria-labelledby="heading">
      <h3 id="heading">What merging changes <span class="soft">(optional)</span></h3>
      <p class="soft small">
        The eval loss of ${used.label} as it was trained and of the weights as they will be written. Each
        takes this GPU about as long as loading the base.
      </p>
      <choice-card
        slotName="losses"
        kind="file"
        heading="Rows to evaluate on"
        quiet
        .accept=${ROW_FILES}
        .hint=${'Validation rows, in any form that training takes.'}
        .chosenName=${rows?.file.name ?? own ?? ''}
        .facts=${rows ? [['Taken', 'chosen here'] as const] : own === undefined ? [] : [['Taken', 'from the run'] as const]}
        .fixed=${rows === undefined}
        .locked=${work !== undefined}
        @chosen=${(event: CustomEvent<ChosenFile>) => losses.chooseRows(event.detail)}
        @cleared=${() => losses.chooseRows(undefined)}
      ></choice-card>
      ${work ? this.#progress() : this.#action(rows !== undefined || own !== undefined)}
      ${measured.length > 0 ? this.#table(measured) : nothing}
      <div class="ended" role="status">
        ${said ? html`<notice-bar .kind=${said.kind} .text=${said.text}></notice-bar>` : nothing}
        ${said?.notes?.map((note) => html`<notice-bar .text=${note}></notice-bar>`) ?? nothing}
      </div>
    </section>`;
  }

  #action(hasRows: boolean) {
    const why = this.#blocked(hasRows);
    return html`<div class="row">
      <button
        type="button"
        aria-disabled=${why !== undefined}
        aria-describedby="why"
        @click=${() => why === undefined && void this.session.use.measureLosses()}
      >
        Measure both losses
      </button>
      <p id="why" class="soft small" aria-live="polite">${why ?? ''}</p>
    </div>`;
  }

  /** Why it cannot be measured now. */
  #blocked(hasRows: boolean): string | undefined {
    const { use, tests } = this.session;
    const { device, run, elsewhere } = this.app;
    const { finding, work } = use.store.state;
    if (isActive(run)) {
      return 'A run is using the GPU: wait for it, or stop it.';
    }
    if (tests.store.state.running) {
      return 'A test is using the GPU: wait for it, or stop it.';
    }
    if (elsewhere) {
      return `Another tab is ${elsewhere.doing}.`;
    }
    if (!device?.ok) {
      return 'No GPU is available.';
    }
    if (finding || use.lacksBase) {
      return 'The base’s folder is needed.';
    }
    if (use.size && 'problem' in use.size) {
      return 'This form cannot be written.';
    }
    if (work) {
      return 'The export is being written.';
    }
    return hasRows ? undefined : 'Choose rows to evaluate on.';
  }

  #progress() {
    const { losses } = this.session.use;
    const { phase, canceled } = losses.store.state.work!;
    const text = canceled
      ? 'Canceling'
      : phase
        ? (PHASES[phase.phase] ?? phaseText(phase.phase))
        : 'Getting ready';
    return html`<progress-line
        .what=${text}
        .aside=${phase ? phaseAmount(phase) : ''}
        .done=${phase?.done ?? 0}
        .total=${phase?.total ?? 0}
      ></progress-line>
      <p class="only-heard" role="status">${text}.</p>
      <div class="row">
        <button type="button" ?disabled=${canceled} @click=${() => losses.cancel()}>
          Cancel<span class="only-heard"> the measurement</span>
        </button>
      </div>`;
  }

  #table(measured: readonly Measured[]) {
    const { rows } = measured[0]!.losses.trained;
    return html`<div class="table" tabindex="0" role="group" aria-label="Measured losses">
      <table>
        <thead>
          <tr>
            <th scope="col">Eval loss over ${counted(rows, 'row')}</th>
            <th scope="col">As trained</th>
            <th scope="col">As written</th>
            <th scope="col">Difference</th>
          </tr>
        </thead>
        <tbody>
          ${measured.map(({ form, type, onto, losses: { trained, written } }) => {
            const apart = written.loss - trained.loss;
            return html`<tr>
              <th scope="row">
                ${safeText(`${FORM_TEXTS[form].title}, ${type ?? 'as the base'}, onto ${ONTO_NAMES[onto]}`)}
              </th>
              <td>${trained.loss.toFixed(4)}</td>
              <td>${written.loss.toFixed(4)}</td>
              <td>${apart < 0 ? '−' : '+'}${Math.abs(apart).toFixed(4)}</td>
            </tr>`;
          })}
        </tbody>
      </table>
    </div>`;
  }
}

/** The rows that a run was evaluated on, in words; undefined where it had none. */
function ownRows({ inputs, recipe }: RunRecord): string | undefined {
  if (inputs.validation !== undefined) {
    return inputs.validation;
  }
  return recipe.training.valSize === undefined ? undefined : `held out of ${inputs.train}`;
}
