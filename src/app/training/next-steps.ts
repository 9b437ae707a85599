import { css, html, nothing } from 'lit';
import { customElement } from 'lit/decorators.js';
import type { TestRecord } from '../../engine/protocol/comparison.ts';
import type { RunRecord } from '../../engine/protocol/protocol.ts';
import { isActive } from '../shared/app-state.ts';
import { resultChoices } from '../shared/result-choices.ts';
import { safeText } from '../shared/safe-text.ts';
import { SessionView } from '../shared/session-view.ts';
import { shared } from '../shared/styles.ts';
import { resultName, sourceName } from '../shared/version-names.ts';

/** Where a finished run leads: to a test, to the next version, and into Python. */
@customElement('next-steps')
export class NextSteps extends SessionView {
  static override styles = [
    shared,
    css`
      :host {
        display: block;
      }
      .panel {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: 0.8rem;
      }
      .version {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 0.6rem;
        font-size: var(--small);
      }
      .version select {
        width: auto;
        flex: 1 1 12rem;
      }
      summary {
        cursor: pointer;
        font-size: var(--small);
        color: var(--accent);
        padding: 0.2rem 0;
      }
      pre {
        margin: 0.4rem 0 0;
        padding: 0.6rem 0.8rem;
        overflow-x: auto;
        border-radius: var(--radius-small);
        background: var(--sunken);
        font: 0.8125rem/1.5 var(--mono);
      }
    `,
  ];

  protected override get stores() {
    return [this.session.store, this.session.tests.store];
  }

  override render() {
    const { run, runs } = this.app;
    const record = runs.find(({ id }) => id === run?.id);
    if (!run || !record) {
      return nothing;
    }
    const asked = testToRepeat(record, this.session.tests.store.state.records);
    const [from, to] = [run.hasSource ? sourceName(run.id, runs) : 'the base', resultName(run.id, runs)];
    const next = `V${Number(to.slice(1)) + 1}`;
    return html`<section class="panel" aria-labelledby="next">
      <h3 id="next">What next</h3>
      ${this.#version(record, to)}
      <div class="row">
        <button type="button" @click=${() => this.#test(record)}>Test ${from} against ${to}</button>
        ${
          asked
            ? html`<button
                type="button"
                ?disabled=${isActive(run)}
                @click=${() => void this.session.tests.repeat(asked, record)}
              >
                Ask ${safeText(asked.questionsFile)} again
              </button>`
            : nothing
        }
        <button
          type="button"
          ?disabled=${isActive(run)}
          @click=${() => void this.session.lineage.continueFrom(record)}
        >
          Train ${next} from ${to}
        </button>
        <button type="button" @click=${() => void this.session.use.open(record, 'train', record.taken?.step)}>
          Use ${to} in other programs
        </button>
      </div>
      <p class="soft small">
        A test asks both the same questions and says whether ${to} is better; ${next} learns other rows and
        starts from ${to}. For other programs ${to} is merged into the base, or made a GGUF or a model of
        Ollama.
      </p>
      <details>
        <summary>Use ${to} in Python</summary>
        <pre tabindex="0" aria-label="Python code">
from transformers import AutoModelForCausalLM
from peft import PeftModel
base = AutoModelForCausalLM.from_pretrained("folder of the base")
model = PeftModel.from_pretrained(base, "folder of ${to}")</pre>
      </details>
    </section>`;
  }

  /** To a new test of the run's own two versions; where one is running, to that. */
  #test({ id }: RunRecord): void {
    const { tests, testDrafts, store } = this.session;
    if (!tests.store.state.running) {
      tests.close();
      testDrafts.change({ run: id, versions: undefined });
    }
    store.update({ view: 'test' });
  }

  /** Which of its steps stands for the result, where there is a choice. */
  #version(record: RunRecord, name: string) {
    const choices = resultChoices(record);
    if (choices.length < 2) {
      return nothing;
    }
    const take = (event: Event) => {
      const { value } = event.target as HTMLSelectElement;
      void this.session.lineage.take(record.id, value === '' ? undefined : Number(value));
    };
    return html`<label class="version"
      >${name} is
      <select ?disabled=${isActive(this.app.run)} @change=${take}>
        ${choices.map(
          ({ step, label }) =>
            html`<option value=${step ?? ''} .selected=${step === record.taken?.step}>${label}</option>`,
        )}
      </select></label
    >`;
  }
}

/** The latest test of what the run continued, unless it was asked of the run's result already. */
function testToRepeat(
  { id, sourceRun, sourceStep, taken }: RunRecord,
  tests: readonly TestRecord[],
): TestRecord | undefined {
  const asks = ({ versions }: TestRecord, run: string | undefined, step: number | undefined) =>
    run !== undefined &&
    versions.some((version) => version.kind !== 'source' && version.run === run && version.step === step);
  return tests.some((test) => asks(test, id, taken?.step))
    ? undefined
    : tests.find((test) => test.status === 'finished' && asks(test, sourceRun, sourceStep));
}
