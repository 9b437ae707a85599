import '../elements/choice-card.ts';
import '../elements/notice-bar.ts';
import '../elements/progress-line.ts';
import './merge-losses-view.ts';
import { html, nothing } from 'lit';
import { customElement } from 'lit/decorators.js';
import type { Form, Onto, WeightType } from '../../engine/protocol/export.ts';
import type { ChosenFolder } from '../../engine/protocol/protocol.ts';
import { type FormFacts, FORMS } from '../../export/forms.ts';
import { showBytes } from '../../formats/words.ts';
import { hasPickers } from '../../platform/file-pickers.ts';
import { safeText } from '../shared/safe-text.ts';
import { SessionView } from '../shared/session-view.ts';
import { shared } from '../shared/styles.ts';
import { announcedExport, phaseOf, progressText } from './export-progress.ts';
import { useStyles } from './use-styles.ts';
import { AFTERWARDS, FORM_TEXTS, ONTO_TEXTS, TYPE_TEXTS } from './use-texts.ts';

const FORM_NAMES = Object.keys(FORMS) as Form[];

/** Puts an adapter into a form that other programs load. */
@customElement('use-view')
export class UseView extends SessionView {
  #working = false;
  #refocus = false;

  static override styles = [shared, useStyles];

  protected override get stores() {
    return [this.session.store, this.session.use.store];
  }

  /** Buttons that go take the focus with them: what comes in their place gets it. */
  override willUpdate(): void {
    const working = this.session.use.store.state.work !== undefined;
    const focused = this.shadowRoot?.activeElement?.closest('.actions');
    this.#refocus = working !== this.#working && Boolean(focused);
    this.#working = working;
  }

  override updated(): void {
    if (this.#refocus) {
      this.renderRoot.querySelector<HTMLElement>('.actions button:enabled')?.focus();
    }
  }

  override render() {
    const { use } = this.session;
    const { used, from, work, said } = use.store.state;
    if (!used) {
      return nothing;
    }
    return html`<div class="head">
        <div>
          <h2 id="heading" tabindex="-1">Use ${used.label}</h2>
          <p class="soft">
            ${safeText(used.record.name)}: a copy of ${used.label} for other programs, made on this machine.
            Base and adapters stay as they are.
          </p>
        </div>
        <button type="button" @click=${() => use.close()}>
          Back to ${from === 'runs' ? 'the runs' : 'the run'}
        </button>
      </div>
      <section class="panel" aria-label="What it becomes">
        ${this.#forms()} ${this.#type()} ${this.#onto()}
      </section>
      ${this.#base()}
      <merge-losses-view .session=${this.session}></merge-losses-view>
      <section class="panel where in-view" aria-labelledby="where">
        <h3 id="where">Where it goes</h3>
        ${this.#size()} ${work ? this.#progress() : this.#actions()}
        <p class="only-heard" role="status">${work ? announcedExport(work) : ''}</p>
        <div class="ended" role="status">${said ? this.#said() : nothing}</div>
      </section>
      ${this.#afterwards()}`;
  }

  #forms() {
    const { use } = this.session;
    const { form, work } = use.store.state;
    return html`<fieldset ?disabled=${work !== undefined}>
      <legend>Form</legend>
      ${FORM_NAMES.map(
        (name) =>
          html`<div class="option">
            <input
              type="radio"
              name="form"
              id=${name}
              aria-describedby=${`${name}-whom`}
              .checked=${form === name}
              @change=${() => void use.choose({ form: name })}
            />
            <label for=${name}>${FORM_TEXTS[name].title}</label>
            <span class="soft small numbers">${this.#sizeOf(name, use.typeOf(name))}</span>
            <p class="soft small" id=${`${name}-whom`}>${FORM_TEXTS[name].whom}</p>
          </div>`,
      )}
    </fieldset>`;
  }

  #type() {
    const { use } = this.session;
    const { form, types, work } = use.store.state;
    const { types: known, type: standard }: FormFacts = FORMS[form];
    const choices = standard === undefined ? [undefined, ...known] : known;
    const chosen = use.typeOf(form);
    return html`<label class="type"
      >Type of the weights
      <select
        ?disabled=${work !== undefined}
        @change=${(event: Event) => {
          const type = (event.target as HTMLSelectElement).value as WeightType | '';
          void use.choose({ types: { ...types, [form]: type || undefined } });
        }}
      >
        ${choices.map((type) => {
          const size = this.#sizeOf(form, type);
          return html`<option value=${type ?? ''} .selected=${type === chosen}>
            ${TYPE_TEXTS[type ?? '']}${size ? ` · ${size}` : ''}
          </option>`;
        })}
      </select></label
    >`;
  }

  #onto() {
    const { use } = this.session;
    const { form, onto, work } = use.store.state;
    if (form === 'gguf-lora') {
      return nothing;
    }
    return html`<fieldset class="onto" ?disabled=${work !== undefined}>
      <legend>Merged onto</legend>
      ${(Object.keys(ONTO_TEXTS) as Onto[]).map(
        (name) =>
          html`<label
            ><input
              type="radio"
              name="onto"
              .checked=${onto === name}
              @change=${() => void use.choose({ onto: name })}
            /><span>${ONTO_TEXTS[name]}</span></label
          >`,
      )}
    </fieldset>`;
  }

  /** "1.6 GiB", as far as it is known. */
  #sizeOf(form: Form, type: WeightType | undefined): string {
    const size = this.session.use.sizeOf(form, type);
    return size && 'bytes' in size ? showBytes(size.bytes) : '';
  }

  #base() {
    const { use } = this.session;
    const { used, base, finding, baseProblem, sizes, form, work } = use.store.state;
    if (finding || (form === 'gguf-lora' && !use.lacksBase)) {
      return nothing;
    }
    const hint = `The base’s weights are needed, and this browser has no way to them: choose the folder of ${used!.record.inputs.base} again.`;
    const wrong = base && sizes?.ok === false ? sizes.sentence : '';
    return html`<choice-card
      slotName="base"
      mark="config.json"
      heading="Base model"
      fixed
      .hint=${hint}
      .chosenName=${base?.name ?? ''}
      .facts=${base && sizes?.ok ? [['Its files', 'read, never written'] as const] : []}
      .problem=${baseProblem ?? wrong}
      .waiting=${sizes ? '' : 'Reading…'}
      .locked=${work !== undefined}
      @chosen=${(event: CustomEvent<ChosenFolder>) => void use.giveBase(event.detail)}
    ></choice-card>`;
  }

  #size() {
    const { use } = this.session;
    const { sizes } = use.store.state;
    const { size } = use;
    if (sizes?.ok === false) {
      // The base's card says why.
      return nothing;
    }
    if (size && 'problem' in size) {
      return html`<notice-bar kind="bad" role="alert" .text=${size.problem}></notice-bar>`;
    }
    const when = use.lacksBase ? 'will be written, once the base’s folder is chosen' : 'will be written';
    const text = size ? `${use.outputName}: ${showBytes(size.bytes)} ${when}.` : 'Calculating the size…';
    return html`<p role="status">${text}</p>`;
  }

  #actions() {
    const { use } = this.session;
    const { form } = use.store.state;
    const ready = !use.lacksBase && use.size !== undefined && 'bytes' in use.size;
    const zipped = FORMS[form].isFile ? '' : ' (.zip)';
    return html`<div class="row actions">
      ${
        hasPickers()
          ? html`<button
              type="button"
              class="primary"
              ?disabled=${!ready}
              @click=${() => void use.saveIntoFolder()}
            >
              Save into a folder
            </button>`
          : nothing
      }
      <button
        type="button"
        class=${hasPickers() ? nothing : 'primary'}
        ?disabled=${!ready}
        @click=${() => void use.download()}
      >
        Download${zipped}
      </button>
    </div>`;
  }

  #progress() {
    const { use } = this.session;
    const work = use.store.state.work!;
    const { done, total, canceled } = work;
    return html`<progress-line
        .what=${phaseOf(work)}
        .aside=${total > 0 ? progressText(work) : 'Getting ready'}
        .done=${done}
        .total=${total}
      ></progress-line>
      <div class="row actions">
        <button type="button" ?disabled=${canceled} @click=${() => use.cancel()}>Cancel</button>
      </div>`;
  }

  #afterwards() {
    const { form, said } = this.session.use.store.state;
    const text = said?.commands?.length ? undefined : AFTERWARDS[form];
    return text ? html`<p class="soft small">${text}</p>` : nothing;
  }

  #said() {
    const { kind, text, notes = [], commands = [] } = this.session.use.store.state.said!;
    return html`<notice-bar .kind=${kind} .text=${text}></notice-bar>
      ${notes.map((note) => html`<notice-bar .text=${note}></notice-bar>`)}
      ${
        commands.length > 0
          ? html`<p class="small">In a terminal, in its folder:</p>
              <pre tabindex="0" role="group" aria-label="Commands">${safeText(commands.join('\n'))}</pre>`
          : nothing
      }`;
  }

  /** Hands the focus to the heading. */
  show(): void {
    this.renderRoot.querySelector<HTMLElement>('#heading')?.focus();
  }
}
