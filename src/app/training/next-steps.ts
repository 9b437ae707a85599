import { css, html, nothing } from 'lit';
import { customElement } from 'lit/decorators.js';
import { isActive } from '../shared/app-state.ts';
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

  override render() {
    const { run, runs } = this.app;
    const record = runs.find(({ id }) => id === run?.id);
    if (!run || !record) {
      return nothing;
    }
    const [from, to] = [run.hasSource ? sourceName(run.id, runs) : 'the base', resultName(run.id, runs)];
    const next = `V${Number(to.slice(1)) + 1}`;
    return html`<section class="panel" aria-labelledby="next">
      <h3 id="next">What next</h3>
      <div class="row">
        <button type="button" @click=${() => this.session.store.update({ view: 'test' })}>
          Test ${from} against ${to}
        </button>
        <button
          type="button"
          ?disabled=${isActive(run)}
          @click=${() => void this.session.lineage.continueFrom(record)}
        >
          Train ${next} from ${to}
        </button>
        <button type="button" @click=${() => void this.session.use.open(record, 'train')}>
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
base = AutoModelForCausalLM.from_pretrained("the base model’s folder")
model = PeftModel.from_pretrained(base, "the unpacked folder of ${to}")</pre>
      </details>
    </section>`;
  }
}
