import './recipe-input.ts';
import './sample-prompts-input.ts';
import './schedule-preview.ts';
import { css, html, nothing, unsafeCSS } from 'lit';
import { customElement } from 'lit/decorators.js';
import type { ChosenFile } from '../../engine/protocol/protocol.ts';
import type { Recipe } from '../../formats/recipe.ts';
import { RECIPE_GROUPS, type RecipeGroup } from '../../formats/recipe/settings.ts';
import { saveFile } from '../../platform/save-file.ts';
import { isActive } from '../shared/app-state.ts';
import { DEVICE_FIELDS } from '../shared/device-inputs.ts';
import { safeText } from '../shared/safe-text.ts';
import { SessionView } from '../shared/session-view.ts';
import { shared } from '../shared/styles.ts';
import { conflict } from './conflict.ts';
import { fieldSpans, TRACKS } from './field-rows.ts';
import { fieldText, RECIPE_FIELDS, type RecipeField } from './recipe-fields.ts';
import type { PromptPlace } from './sample-prompts-input.ts';

/** Settings whose values are long. */
const WIDE: ReadonlySet<string> = new Set(['optim', 'name', 'target_modules']);

/** Stage two: every setting, in groups. */
@customElement('recipe-view')
export class RecipeView extends SessionView {
  static override styles = [
    shared,
    css`
      :host {
        display: block;
      }
      fieldset {
        border: 0;
        border-top: 1px solid var(--line);
        margin: 0;
        padding: 1rem 0 1.1rem;
        min-width: 0;
        display: grid;
        grid-template-columns: 9rem 1fr;
        gap: 1rem;
      }
      legend {
        float: left;
        padding: 0;
        font-weight: 600;
        font-size: var(--small);
      }
      fieldset:first-of-type {
        border-top: 0;
        padding-top: 0;
      }
      /* Label, input and hint each share a line with their neighbors'. */
      .fields {
        display: grid;
        grid-template-columns: repeat(${unsafeCSS(TRACKS)}, minmax(0, 1fr));
        gap: 0.2rem 1rem;
      }
      recipe-input {
        grid-column: span 2;
        grid-row: span 3;
      }
      .span-3 {
        grid-column: span 3;
      }
      .span-4 {
        grid-column: span 4;
      }
      .span-6 {
        grid-column: 1 / -1;
      }
      .unkept {
        grid-column: -2 / -1;
      }
      .running {
        margin-bottom: 1rem;
        padding-left: 0.8rem;
        border-left: 3px solid var(--accent);
        font-size: var(--small);
        overflow-wrap: anywhere;
      }
      .actions {
        border-top: 1px solid var(--line);
        padding-top: 1rem;
      }
      @media (max-width: 52rem) {
        fieldset {
          grid-template-columns: minmax(0, 1fr);
          gap: 0.6rem;
        }
      }
      @media (max-width: 34rem) {
        .fields {
          grid-template-columns: minmax(0, 1fr);
        }
        .fields > * {
          grid-column: 1;
        }
      }
    `,
  ];

  override render() {
    if (!this.app.recipe) {
      return html`<p class="panel soft">Reading the defaults…</p>`;
    }
    const locked = isActive(this.app.run);
    return html`<div class="panel">
      ${this.#running ? this.#note() : nothing} ${RECIPE_GROUPS.map((group) => this.#group(group, locked))}
      ${this.#device(locked)}
      <div class="actions row">
        <button type="button" @click=${this.#export}>Save as training_config.yaml</button>
        <button
          type="button"
          class="link"
          ?disabled=${locked}
          @click=${() => void this.session.choices.recipe.reset()}
        >
          Reset to the defaults
        </button>
      </div>
    </div>`;
  }

  /** The recipe of the run under way. */
  get #running(): Recipe | undefined {
    const { run } = this.app;
    return isActive(run) ? run?.recipe : undefined;
  }

  #note() {
    return html`<p class="running" role="note">
      This is the recipe of ${safeText(this.app.run!.name)}, which is under way: it can be read and saved, and
      not changed. What you had set for the next run is back when it has ended.
    </p>`;
  }

  #group(group: RecipeGroup, locked: boolean) {
    const running = this.#running;
    const fresh = running ? !this.app.run!.hasSource : this.app.fresh;
    const fields = RECIPE_FIELDS.filter((field) => field.group === group);
    if (group === 'New adapter' && !fresh) {
      return html`<fieldset>
        <legend>${group}</legend>
        <p class="soft small">
          Rank, alpha, dropout and modules come from the adapter; for a new one they are set here.
        </p>
      </fieldset>`;
    }
    const single = fields.filter(({ kind }) => kind !== 'texts');
    const spans = fieldSpans(single.map(({ key }) => (WIDE.has(key) ? 2 : 1)));
    const draftOf = ({ key }: RecipeField) => (running ? undefined : this.app.drafts[key]);
    const wrong = running ? undefined : conflict(this.app);
    return html`<fieldset>
      <legend>${group}</legend>
      <div class="fields">
        ${single.map((field, i) => {
          const draft = draftOf(field);
          return html`<recipe-input
            class=${`span-${spans[i]}`}
            .field=${field}
            .value=${draft?.text ?? fieldText(field, running ?? this.app.recipe!)}
            .problem=${draft?.problem ?? (wrong?.key === field.key ? wrong.sentence : '')}
            .locked=${locked}
            @edited=${(event: CustomEvent<string>) => this.session.choices.recipe.edit(field, event.detail)}
          ></recipe-input>`;
        })}
        ${fields.map((field) =>
          field.kind === 'texts'
            ? html`<sample-prompts-input
                .field=${field}
                .value=${draftOf(field)?.text ?? fieldText(field, running ?? this.app.recipe!)}
                .problem=${draftOf(field)?.problem ?? ''}
                .locked=${locked}
                .places=${this.#promptPlaces()}
                @edited=${(event: CustomEvent<string>) => this.session.choices.recipe.edit(field, event.detail)}
              ></sample-prompts-input>`
            : nothing,
        )}
        ${group === 'Length and pace' ? this.#schedule() : nothing}
      </div>
    </fieldset>`;
  }

  /** Files that questions can be taken from. */
  #promptPlaces(): PromptPlace[] {
    const { validation, train } = this.app.slots;
    const { questions } = this.session.tests.store.state.draft;
    const place = (label: string, file: ChosenFile | undefined, of: 'rows' | 'questions') =>
      file ? [{ label, take: (most: number) => this.session.choices.promptsIn(file, of, most) }] : [];
    return [
      ...(validation.chosen
        ? place('Take some from the validation rows', validation.chosen, 'rows')
        : place('Take some from the rows', train.chosen, 'rows')),
      ...place('Take some from the questions of the test', questions.chosen, 'questions'),
    ];
  }

  /** The learning rate over the run, once its steps are known. */
  #schedule() {
    const { recipe, plan } = this.app;
    return html`<schedule-preview
      .recipe=${recipe!}
      .maxSteps=${plan?.ok ? plan.value.maxSteps : 0}
    ></schedule-preview>`;
  }

  #device(locked: boolean) {
    const { texts, problems } = this.app.deviceInputs;
    const spans = fieldSpans(DEVICE_FIELDS.map(() => 1));
    return html`<fieldset>
      <legend>This device</legend>
      <div class="fields">
        ${DEVICE_FIELDS.map(
          ([name, field], i) =>
            html`<recipe-input
              class=${`span-${spans[i]}`}
              .field=${field}
              .value=${texts[name]}
              .problem=${problems[name] ?? ''}
              .locked=${locked}
              @edited=${(event: CustomEvent<string>) => this.session.choices.editDevice(name, event.detail)}
            ></recipe-input>`,
        )}
      </div>
      ${
        this.app.deviceInputsKept
          ? nothing
          : html`<p class="soft small unkept" role="status">
              They count until the page is closed: the browser does not keep them for the next visit.
            </p>`
      }
    </fieldset>`;
  }

  async #export(): Promise<void> {
    const yaml = await this.session.choices.recipe.yaml(this.#running);
    saveFile('training_config.yaml', new Blob([yaml], { type: 'application/yaml' }));
  }
}
