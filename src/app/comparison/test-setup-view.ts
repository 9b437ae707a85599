import '../elements/choice-card.ts';
import './test-versions-view.ts';
import { css, html, nothing } from 'lit';
import { customElement } from 'lit/decorators.js';
import type { OfRun, QuestionsFacts } from '../../engine/protocol/comparison.ts';
import type { ChosenFile, ChosenFolder } from '../../engine/protocol/protocol.ts';
import { counted } from '../../formats/words.ts';
import type { PromptForm } from '../../generate/prompt-form.ts';
import { type Fact, ROW_FILES } from '../elements/choice-card.ts';
import { isActive } from '../shared/app-state.ts';
import { SessionView } from '../shared/session-view.ts';
import { shared } from '../shared/styles.ts';
import { chosenVersions, maxLengthOf, testCandidates, testInputs, usual } from './test-draft.ts';

const FORMS: Record<PromptForm, string> = {
  text: 'After “### Instruction:”',
  chat: 'Through the chat template',
};

/** The form of a new test: questions, versions, and how they answer. */
@customElement('test-setup-view')
export class TestSetupView extends SessionView {
  static override styles = [
    shared,
    css`
      :host {
        display: grid;
        gap: var(--gap);
      }
      .cards {
        display: grid;
        grid-template-columns: repeat(auto-fit, minmax(min(15rem, 100%), 1fr));
        gap: var(--gap);
      }
      .panel {
        display: grid;
        gap: 0.9rem;
      }
      .fields {
        display: grid;
        grid-template-columns: repeat(auto-fit, minmax(min(13rem, 100%), 1fr));
        gap: 0.9rem 1.25rem;
        align-items: start;
      }
      .fields div > label,
      legend {
        display: block;
        font-size: var(--small);
        font-weight: 550;
        margin-bottom: 0.2rem;
        padding: 0;
      }
      fieldset {
        border: 0;
        margin: 0;
        padding: 0;
        min-width: 0;
      }
      fieldset label {
        display: flex;
        align-items: center;
        gap: 0.5rem;
        font-size: var(--small);
        font-weight: 400;
        min-height: 1.7rem;
      }
      input[type='radio'] {
        width: 1.1rem;
        min-height: 0;
        height: 1.1rem;
        margin: 0;
        accent-color: var(--accent);
      }
      .panel.start {
        display: flex;
        flex-direction: row-reverse;
        position: sticky;
        bottom: 0.5rem;
        z-index: 1;
        padding: 0.6rem 1rem;
      }
      .start p {
        flex: 1 1 12rem;
        text-align: right;
      }
      @media (max-width: 40rem) {
        .panel.start {
          flex-direction: column-reverse;
          align-items: stretch;
        }
        .start p {
          flex: none;
          text-align: left;
        }
      }
      button.demo {
        align-self: flex-start;
      }
      .note {
        font-size: var(--tiny);
        color: var(--ink-soft);
        margin-top: 0.2rem;
        line-height: 1.35;
      }
      .problem {
        color: var(--bad);
      }
    `,
  ];

  protected override get stores() {
    return [this.session.store, this.session.tests.store, this.session.lineage.store];
  }

  override render() {
    const { tests } = this.session;
    const { draft } = tests.store.state;
    const { source } = this.app.slots;
    const all = testCandidates(
      this.app.runs,
      this.session.lineage.store.state.family,
      draft.folders,
      source.answer?.ok ? source.chosen : undefined,
    );
    const chosen = chosenVersions(draft, all, this.app.runs);
    const inputs = testInputs(draft, this.app, chosen);
    const busy = isActive(this.app.run);
    const { device } = this.app;
    const blocked = busy || !device?.ok || 'missing' in inputs;
    const why = busy
      ? 'A run is using the GPU: wait for it, or stop it.'
      : !device?.ok
        ? 'No GPU is available.'
        : 'missing' in inputs
          ? inputs.missing
          : `${counted(chosen.length, 'version')}, ${counted(questionCount(draft.questions.answer), 'question')} each. Answers are saved as they arrive.`;
    return html`<div class="cards">${this.#questions()}${this.#base()}${this.#validation()}</div>
      <test-versions-view
        .session=${this.session}
        .candidates=${all}
        .chosen=${chosen.map(({ key }) => key)}
      ></test-versions-view>
      <section class="panel" aria-labelledby="how">
        <h3 id="how">How they answer</h3>
        <div class="fields">${this.#choices()}${this.#form()}${this.#length()}</div>
      </section>
      <div class="panel row start in-view">
        <button
          type="button"
          class="primary"
          aria-disabled=${blocked}
          aria-describedby="why"
          @click=${() => !blocked && !('missing' in inputs) && void tests.start(inputs)}
        >
          Start the test
        </button>
        <p id="why" class="soft small" aria-live="polite">${why}</p>
      </div>`;
  }

  #questions() {
    const { tests, testDrafts } = this.session;
    const { chosen, answer, reading } = tests.store.state.draft.questions;
    return html`<choice-card
      .slotName=${'questions'}
      .heading=${'Questions'}
      .kind=${'file'}
      .accept=${'.json,.jsonl,application/json'}
      .hint=${'A JSON list (or JSONL) of {question, answer?, topic?, difficulty?}.'}
      .chosenName=${chosen?.file.name ?? ''}
      .facts=${answer?.ok ? questionFacts(answer.value) : []}
      .problem=${answer && !answer.ok ? answer.sentence : ''}
      .reading=${reading}
      @chosen=${(event: CustomEvent<ChosenFile>) => void testDrafts.chooseQuestions(event.detail)}
      @cleared=${() => void testDrafts.chooseQuestions(undefined)}
      @canceled=${() => testDrafts.cancelQuestions()}
    >
      ${
        chosen
          ? nothing
          : html`<button
              type="button"
              class="link demo"
              @click=${() => void testDrafts.chooseDemoQuestions()}
            >
              Use the demo’s questions
            </button>`
      }
    </choice-card>`;
  }

  #base() {
    const { tests, testDrafts } = this.session;
    const { base } = tests.store.state.draft;
    const shown = base ?? usual(this.app).base;
    const from = base ? 'chosen here' : shown && this.#of(shown);
    return html`<choice-card
      .slotName=${'test-base'}
      .heading=${'Base model'}
      .kind=${'folder'}
      .mark=${'config.json'}
      .hint=${'The model’s folder. All versions share it in memory.'}
      .fixed=${base === undefined && shown !== undefined}
      .chosenName=${shown ? this.#nameOf(shown, 'base') : ''}
      .facts=${from ? [['Taken', from] as const] : []}
      @chosen=${(event: CustomEvent<ChosenFolder>) => testDrafts.change({ base: event.detail })}
      @cleared=${() => testDrafts.change({ base: undefined })}
    ></choice-card>`;
  }

  #validation() {
    const { tests, testDrafts } = this.session;
    const { validation } = tests.store.state.draft;
    const shown = validation === 'none' ? undefined : (validation ?? usual(this.app).validation);
    const from = validation && validation !== 'none' ? 'chosen here' : shown && this.#of(shown);
    return html`<choice-card
      .slotName=${'test-validation'}
      .heading=${'Validation rows'}
      .kind=${'file'}
      .optional=${true}
      .accept=${ROW_FILES}
      .hint=${'With them each version’s eval loss and perplexity are measured.'}
      .chosenName=${shown ? this.#nameOf(shown, 'validation') : ''}
      .facts=${from ? [['Taken', from] as const] : []}
      @chosen=${(event: CustomEvent<ChosenFile>) => testDrafts.change({ validation: event.detail })}
      @cleared=${() => testDrafts.change({ validation: 'none' })}
    ></choice-card>`;
  }

  #of(shown: ChosenFolder | ChosenFile | OfRun): string {
    return 'run' in shown && !('files' in shown) ? 'from the latest run' : 'from stage one';
  }

  #nameOf(shown: ChosenFolder | ChosenFile | OfRun, what: 'base' | 'validation'): string {
    if ('file' in shown) {
      return shown.file.name;
    }
    if ('files' in shown) {
      return shown.name;
    }
    return this.app.runs.find(({ id }) => id === shown.run)?.inputs[what] ?? '';
  }

  #choices() {
    const { tests, testDrafts } = this.session;
    const radio = (greedy: boolean, text: string) =>
      html`<label
        ><input
          type="radio"
          name="greedy"
          .checked=${tests.store.state.draft.greedy === greedy}
          @change=${() => testDrafts.change({ greedy })}
        />${text}</label
      >`;
    return html`<fieldset>
      <legend>Decoding</legend>
      ${radio(true, 'Deterministic (greedy)')} ${radio(false, 'Sampled: temperature 0.7, top-p 0.9')}
      <p class="note">Use greedy decoding to compare: the same test then gives the same answers.</p>
    </fieldset>`;
  }

  #form() {
    const { tests, testDrafts } = this.session;
    const { form } = tests.store.state.draft;
    return html`<div>
      <label for="form">Prompt format</label>
      <select
        id="form"
        aria-describedby="form-note"
        @change=${(event: Event) => {
          const { value } = event.target as HTMLSelectElement;
          testDrafts.change({ form: value === '' ? undefined : (value as PromptForm) });
        }}
      >
        <option value="" ?selected=${form === undefined}>As the versions were trained</option>
        ${Object.entries(FORMS).map(([value, text]) => html`<option value=${value} ?selected=${form === value}>${text}</option>`)}
      </select>
      <p id="form-note" class="note">
        Retune’s own adapters record it; others are asked with “### Instruction:”.
      </p>
    </div>`;
  }

  #length() {
    const { tests, testDrafts } = this.session;
    const { maxNewTokens } = tests.store.state.draft;
    const length = maxLengthOf(maxNewTokens);
    const problem = typeof length === 'string' ? length : '';
    return html`<div>
      <label for="length">Maximum answer length, in tokens</label>
      <input
        id="length"
        inputmode="numeric"
        autocomplete="off"
        .value=${maxNewTokens}
        aria-invalid=${problem ? 'true' : 'false'}
        aria-describedby="length-note"
        @input=${(event: Event) => testDrafts.change({ maxNewTokens: (event.target as HTMLInputElement).value })}
      />
      <p id="length-note" class="note ${problem ? 'problem' : ''}" aria-live="polite">
        ${problem || 'Longer answers are cut, and counted as cut.'}
      </p>
    </div>`;
  }
}

function questionFacts({ questions, withExpected, topics, difficulties }: QuestionsFacts): Fact[] {
  const list = (names: readonly string[]) =>
    names.length === 0 ? 'none named' : names.length > 4 ? `${names.length}` : names.join(', ');
  return [
    ['Questions', String(questions)],
    ['With an answer', withExpected === questions ? 'all' : String(withExpected)],
    ['Topics', list(topics)],
    ['Difficulties', list(difficulties)],
  ];
}

const questionCount = (answer: { ok: true; value: QuestionsFacts } | { ok: false } | undefined): number =>
  answer?.ok ? answer.value.questions : 0;
