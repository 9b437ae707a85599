import '../elements/choice-card.ts';
import './row-preview.ts';
import './rows-columns.ts';
import './rows-view.ts';
import { css, html, nothing } from 'lit';
import { customElement } from 'lit/decorators.js';
import type { RowsFacts } from '../../engine/protocol/protocol.ts';
import { readingLines } from '../../formats/recipe.ts';
import { counted, showShare } from '../../formats/words.ts';
import { SUGGESTED_SHARE } from '../../run/input/suggested-hold-out.ts';
import type { Columns } from '../../text/columns.ts';
import { type Fact, ROW_FILES } from '../elements/choice-card.ts';
import type { Mark } from '../elements/folder-offers.ts';
import { type ChoiceSlot, isActive } from '../shared/app-state.ts';
import { adapterFacts, baseFacts, rowsFacts } from '../shared/facts.ts';
import { safeText } from '../shared/safe-text.ts';
import { SessionView } from '../shared/session-view.ts';
import { shared } from '../shared/styles.ts';
import { adapterName } from '../shared/version-names.ts';
import type { SlotName } from './choices.ts';
import { rowsToHoldOut } from './held-out.ts';

/** The file that a folder in its place must hold. */
const MARKS: Readonly<Partial<Record<SlotName, Mark>>> = {
  base: 'config.json',
  source: 'adapter_config.json',
};

/** Stage one: the three things to choose, two more that may be chosen, and the rows as the model will read them. */
@customElement('choose-view')
export class ChooseView extends SessionView {
  static override styles = [
    shared,
    css`
      :host {
        display: block;
        container-type: inline-size;
      }
      .three {
        display: grid;
        grid-template-columns: repeat(3, minmax(0, 1fr));
        gap: var(--gap);
      }
      @container (max-width: 40rem) {
        .three {
          grid-template-columns: minmax(0, 1fr);
        }
      }
      .two {
        display: grid;
        grid-template-columns: repeat(auto-fit, minmax(min(18rem, 100%), 1fr));
        gap: var(--gap);
        margin-top: var(--gap);
        align-items: start;
      }
      .notes {
        display: grid;
        gap: 0.35rem;
        margin-bottom: 0.8rem;
        padding-left: 0.8rem;
        border-left: 3px solid var(--warn);
        overflow-wrap: anywhere;
      }
      .preview {
        margin-top: var(--gap);
      }
      .look-through {
        align-self: start;
      }
      .look {
        margin-top: 0.8rem;
      }
      .preview h3 {
        margin-bottom: 0.35rem;
      }
    `,
  ];

  protected override get stores() {
    return [...super.stores, this.session.rows];
  }

  override render() {
    const { slots, fresh, recipe } = this.app;
    const locked = isActive(this.app.run);
    const rows = slots.train.answer?.ok ? slots.train.answer.value : undefined;
    const { slot, file } = this.session.rows.state;
    const looking = slot !== undefined && slots[slot].chosen?.file === file;
    return html`<div class="three">
        ${this.#card('base', '1', 'Base model', 'folder', 'A model’s folder as Hugging Face has it, such as Qwen2.5-1.5B-Instruct: config.json, tokenizer.json and .safetensors weights.', baseFacts, locked)}
        ${this.#card('source', '2', `Adapter ${adapterName(slots.source.chosen, this.app.runs)}`, 'folder', fresh ? `None: a new adapter of rank ${recipe?.lora.r ?? 32} is made, as the recipe says.` : 'The LoRA adapter to continue, as PEFT saved it: adapter_config.json and adapter_model.safetensors, in a folder or a zip.', adapterFacts, locked)}
        ${this.#card('train', '3', 'New rows', 'file', 'A table (CSV, TSV, Parquet), JSONL or JSON: question and answer, prompt and completion, messages or text.', (facts: RowsFacts) => rowsFacts(facts, true), locked)}
      </div>
      <div class="two">
        ${this.#card('validation', '', 'Validation rows', 'file', 'Rows to evaluate on: they show whether training helps.', (facts: RowsFacts) => rowsFacts(facts), locked)}
        ${this.#recipeCard(locked)}
      </div>
      ${looking ? html`<rows-view class="preview" .session=${this.session}></rows-view>` : nothing}
      ${
        rows && !looking
          ? html`<section class="preview panel" aria-labelledby="preview">
              <h3 id="preview">
                What will be trained: the first ${counted(rows.preview.length, 'row')} of
                ${safeText(rows.name)}
              </h3>
              ${
                rows.notes.length > 0
                  ? html`<ul class="notes small">
                      ${rows.notes.map((note) => html`<li>${safeText(note)}</li>`)}
                    </ul>`
                  : nothing
              }
              <row-preview .rows=${rows.preview} .unit=${rows.unit}></row-preview>
              <button type="button" class="look" @click=${() => void this.session.rows.open('train')}>
                Look through all ${counted(rows.rows, 'row')}
              </button>
            </section>`
          : nothing
      }`;
  }

  #card<F>(
    slot: SlotName,
    number: string,
    heading: string,
    kind: 'folder' | 'file',
    hint: string,
    facts: (value: F) => Fact[],
    locked: boolean,
  ) {
    const { chosen, answer, reading } = this.app.slots[slot] as ChoiceSlot<
      { name: string } | { file: File },
      F
    >;
    const name = chosen && ('file' in chosen ? chosen.file.name : chosen.name);
    const waiting = this.app.slots.base.chosen
      ? 'Will be read once the base model is valid.'
      : 'Will be read once the base model is chosen.';
    return html`<choice-card
      .slotName=${slot}
      .number=${number}
      .heading=${heading}
      .kind=${kind}
      .hint=${hint}
      .accept=${kind === 'file' ? ROW_FILES : ''}
      .chosenName=${name ?? ''}
      .facts=${answer?.ok ? facts(answer.value) : []}
      .problem=${answer && !answer.ok ? answer.sentence : ''}
      .waiting=${waiting}
      .reading=${reading}
      .optional=${slot === 'validation'}
      .quiet=${slot === 'validation'}
      .locked=${locked}
      .zips=${slot === 'source'}
      .mark=${MARKS[slot]}
      .settled=${slot === 'source' && this.app.fresh}
      @chosen=${(event: CustomEvent) => void this.session.choices.choose(slot, event.detail)}
      @zip=${(event: CustomEvent<File>) => void this.session.choices.chooseZip(event.detail)}
      @cleared=${() => void this.session.choices.choose(slot, undefined)}
      @canceled=${() => this.session.choices.cancel(slot)}
    >
      ${slot === 'train' || slot === 'validation' ? this.#columns(slot, locked) : nothing}
      ${
        slot === 'validation' && answer?.ok
          ? html`<button
              type="button"
              class="link look-through"
              @click=${() => void this.session.rows.open('validation')}
            >
              Look through these rows
            </button>`
          : nothing
      }
      ${slot === 'validation' && !chosen ? this.#holdOut(locked) : nothing}
      ${
        slot === 'source' && !chosen
          ? html`<label class="check"
              ><input
                type="checkbox"
                name="fresh"
                .checked=${this.app.fresh}
                ?disabled=${locked}
                @change=${(event: Event) => this.session.choices.setFresh((event.target as HTMLInputElement).checked)}
              />No V1: start a new adapter</label
            >`
          : nothing
      }
    </choice-card>`;
  }

  /** Shown where the names of the columns are not the keys of rows. */
  #columns(slot: 'train' | 'validation', locked: boolean) {
    const { chosen, answer, names } = this.app.slots[slot];
    const columns = answer?.ok ? answer.value.columns : chosen?.columns;
    const known = answer?.ok ? answer.value.columnNames : names;
    if (!known || (answer?.ok && !columns)) {
      return nothing;
    }
    return html`<rows-columns
      .names=${known}
      .columns=${columns}
      .locked=${locked}
      @columns=${(event: CustomEvent<Columns>) => void this.session.choices.setColumns(slot, event.detail)}
    ></rows-columns>`;
  }

  #holdOut(locked: boolean) {
    const rows = rowsToHoldOut(this.app);
    if (rows === undefined) {
      return nothing;
    }
    return html`<label class="check"
      ><input
        type="checkbox"
        name="hold-out"
        .checked=${this.app.holdOut && rows > 0}
        ?disabled=${locked || rows === 0}
        @change=${(event: Event) => this.session.choices.setHoldOut((event.target as HTMLInputElement).checked)}
      />${
        rows === 0
          ? 'Too few new rows to hold some out'
          : `Hold out ${showShare(SUGGESTED_SHARE, 1)} of the new rows (${counted(rows, 'row')}), chosen at random by the seed`
      }</label
    >`;
  }

  #recipeCard(locked: boolean) {
    const { recipeFile, readingRecipe } = this.app;
    const facts: Fact[] =
      recipeFile && 'name' in recipeFile
        ? [
            ...(recipeFile.reading
              ? readingLines(recipeFile.reading, 'what is chosen on this page counts')
              : [['Read', 'every setting is shown below'] as const]),
            ...recipeFile.warnings.map((text) => ['Ignored', text] as const),
          ]
        : [];
    return html`<choice-card
      .slotName=${'recipe'}
      .heading=${'Recipe'}
      .kind=${'file'}
      .hint=${'A training_config.yaml, or a recipe of LLaMA-Factory, axolotl, TRL or transformers; without one the defaults below are used.'}
      .accept=${'.yaml,.yml,.json'}
      .chosenName=${readingRecipe ?? (recipeFile && 'name' in recipeFile ? recipeFile.name : '')}
      .reading=${readingRecipe !== undefined}
      .facts=${facts}
      .problem=${recipeFile && 'sentence' in recipeFile ? recipeFile.sentence : ''}
      .optional=${true}
      .quiet=${true}
      .locked=${locked}
      @chosen=${(event: CustomEvent<{ file: File }>) => void this.session.choices.recipe.import(event.detail.file)}
      @cleared=${() => void this.session.choices.recipe.reset()}
      @canceled=${() => this.session.choices.cancel('recipe')}
    ></choice-card>`;
  }
}
