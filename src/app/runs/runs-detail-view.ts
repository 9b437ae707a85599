import '../elements/ask-once.ts';
import '../elements/film-strip.ts';
import '../elements/line-chart.ts';
import { css, html, nothing } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import type { RunNotes } from '../../engine/protocol/comparison.ts';
import type { HandoverStart } from '../../engine/protocol/handover.ts';
import type { RunRecord } from '../../engine/protocol/protocol.ts';
import { countChanges, showChanges } from '../../formats/row-changes.ts';
import { showBytes, showNumber } from '../../formats/words.ts';
import { saveFile } from '../../platform/save-file.ts';
import { isActive } from '../shared/app-state.ts';
import { safeText } from '../shared/safe-text.ts';
import { SessionView } from '../shared/session-view.ts';
import { showDate } from '../shared/show-date.ts';
import { shared } from '../shared/styles.ts';
import { resultName, sourceName } from '../shared/version-names.ts';
import { runDeletionQuestion } from './deletion-question.ts';
import { lossSeries } from './run-losses.ts';
import { runDetailStyles } from './runs-detail-styles.ts';

const HASHES = {
  base: 'Base model',
  source: 'Source adapter',
  train: 'Training rows',
  validation: 'Validation rows',
  result: 'Result',
} as const satisfies Record<keyof RunNotes['hashes'], string>;

/** Everything stored of one run, and the actions on it. */
@customElement('runs-detail-view')
export class RunsDetailView extends SessionView {
  /** Its id. */
  @property() run = '';
  @state() private recipe = '';

  static override styles = [
    shared,
    css`
      :host {
        display: block;
      }
    `,
    runDetailStyles,
  ];

  protected override get stores() {
    return [this.session.store, this.session.lineage.store, this.session.tests.store];
  }

  override willUpdate(changed: Map<string, unknown>): void {
    if (!changed.has('run')) {
      return;
    }
    this.recipe = '';
    const record = this.#record;
    if (record) {
      void this.session.lineage.recipeYaml(record.recipe).then((yaml) => (this.recipe = yaml));
    }
  }

  get #record(): RunRecord | undefined {
    return this.app.runs.find(({ id }) => id === this.run);
  }

  override render() {
    const record = this.#record;
    const notes = this.session.lineage.store.state.notes.find(({ id }) => id === this.run);
    if (!record || !notes) {
      return nothing;
    }
    const losses = lossSeries(record);
    return html`<section class="panel" aria-labelledby="title">
      ${this.#names(notes)} ${this.#actions(record, notes)}
      ${
        losses.length > 0
          ? html`<line-chart heading="Loss" .format=${showNumber} .series=${losses}></line-chart>`
          : html`<p class="soft small">No loss has been logged yet.</p>`
      }
      ${
        record.samples
          ? html`<h4>Sample prompts</h4>
              <film-strip .film=${record.samples}></film-strip>`
          : nothing
      }
      <div class="columns">${this.#hashes(record, notes)} ${this.#kept(record, notes)}</div>
      ${this.#handover(record, notes)}
      <details>
        <summary>Recipe</summary>
        <pre tabindex="0" role="group" aria-label="Recipe">${safeText(this.recipe)}</pre>
      </details>
    </section>`;
  }

  #names({ id, name, note, imported }: RunNotes) {
    const { lineage } = this.session;
    const changed = (event: Event, before: string, keep: (text: string) => Promise<void>) => {
      const text = (event.target as HTMLInputElement | HTMLTextAreaElement).value.trim();
      if (text !== before) {
        void keep(text);
      }
    };
    return html`<h3 id="title">
        ${safeText(name)}${imported ? html` <span class="soft small">(imported)</span>` : nothing}
      </h3>
      <div class="names">
        <label
          >Name
          <input
            autocomplete="off"
            .value=${name}
            @change=${(event: Event) =>
              changed(event, name, async (text) => {
                if (text) {
                  await lineage.rename(id, text);
                } else {
                  (event.target as HTMLInputElement).value = name;
                }
              })}
        /></label>
        <label
          >Note
          <textarea
            rows="2"
            placeholder="Anything worth remembering about this run"
            .value=${note}
            @change=${(event: Event) => changed(event, note, (text) => lineage.annotate(id, text))}
          ></textarea>
        </label>
      </div>`;
  }

  #actions(record: RunRecord, notes: RunNotes) {
    const { name } = notes;
    const { lineage, training, tests: testing, storage } = this.session;
    const { busy, share } = lineage.store.state;
    const running = isActive(this.app.run);
    const own = running && this.app.run?.id === record.id;
    const continues = record.status === 'finished' || record.taken !== undefined;
    return html`<div class="row">
      ${
        continues
          ? html`<button
              type="button"
              class="primary small-primary"
              ?disabled=${running || busy !== undefined}
              @click=${() => void lineage.continueFrom(record)}
            >
              Continue from this
            </button>`
          : nothing
      }
      <button
        type="button"
        class=${continues ? nothing : 'primary small-primary'}
        ?disabled=${running}
        @click=${() => training.open(record)}
      >
        Open
      </button>
      ${this.#use(record)}
      <button
        type="button"
        ?disabled=${running || busy !== undefined}
        @click=${() => void lineage.runAgain(record)}
      >
        Run again with changes
      </button>
      <button
        type="button"
        ?disabled=${busy !== undefined}
        @click=${async () => {
          const zip = await lineage.archive({ id: record.id, name });
          if (zip) {
            saveFile(`${fileName(name)}.zip`, zip);
          }
        }}
      >
        ${busy === 'packing' ? html`Packing… ${share}` : 'Export (.zip)'}
      </button>
      ${
        busy === 'packing'
          ? html`<button type="button" class="link" @click=${() => lineage.cancel()}>
              Cancel<span class="only-heard"> packing</span>
            </button>`
          : nothing
      }
      <ask-once
        .subject=${name}
        .locked=${own || testing.store.state.running !== undefined}
        .question=${runDeletionQuestion(notes, testing.store.state.records, this.app.runs)}
        @confirmed=${async () => {
          await training.delete(record.id);
          await Promise.all([lineage.refresh(), testing.refresh(), storage.refresh()]);
        }}
      ></ask-once>
    </div>`;
  }

  /** The result for other programs, or what was taken as that; of an unfinished run, its latest checkpoint. */
  #use(record: RunRecord) {
    const latest = record.status === 'finished' ? undefined : record.checkpoints.at(-1)?.step;
    const step = record.taken?.step ?? latest;
    if (record.status !== 'finished' && step === undefined) {
      return nothing;
    }
    const name = resultName(record.id, this.app.runs);
    return html`<button type="button" @click=${() => void this.session.use.open(record, 'runs', step)}>
      Use ${step === undefined ? name : `checkpoint ${step}`} in other programs
    </button>`;
  }

  /** The run for a cluster: from where it began, or from what it has made. */
  #handover(record: RunRecord, { name }: RunNotes) {
    const { lineage } = this.session;
    const { busy, share } = lineage.store.state;
    const { runs } = this.app;
    const made = record.status === 'finished' ? resultName(record.id, runs) : record.checkpoints.at(-1)?.step;
    const download = async (start: HandoverStart) => {
      const zip = await lineage.handOver(record, start);
      if (zip) {
        saveFile(`${fileName(name)}-handover.zip`, zip);
      }
    };
    const button = (start: HandoverStart, text: string) =>
      html`<button type="button" ?disabled=${busy !== undefined} @click=${() => void download(start)}>
        ${text}
      </button>`;
    const source = record.inputs.source === undefined ? 'a fresh adapter' : sourceName(record.id, runs);
    return html`<details>
      <summary>Hand over to a cluster</summary>
      <p class="soft small">
        A zip that trains these rows by this recipe on one GPU or several, without Retune: rows as tokens and
        labels, a script for transformers and PEFT, and files for accelerate, axolotl, Slurm and SkyPilot.
        What it makes is an adapter that can be continued here.
      </p>
      <div class="row">
        ${button('source', `Start from ${source} (.zip)`)}
        ${made === undefined ? nothing : button('latest', `Start from ${typeof made === 'number' ? `checkpoint ${made}` : made} (.zip)`)}
        ${
          busy === 'handing over'
            ? html`<span class="soft small">Writing… ${share}</span>
                <button type="button" class="link" @click=${() => lineage.cancel()}>
                  Cancel<span class="only-heard"> the hand-over</span>
                </button>`
            : nothing
        }
      </div>
    </details>`;
  }

  #hashes({ inputs, changes }: RunRecord, { hashes }: RunNotes) {
    const names = { ...inputs, result: undefined };
    const changed = (key: string): string | undefined =>
      key === 'train' || key === 'validation' ? showChanges(countChanges(changes?.[key])) : undefined;
    return html`<div>
      <h4>Hashes (SHA-256)</h4>
      <dl>
        ${(Object.keys(HASHES) as (keyof typeof HASHES)[]).map((key) => {
          const hash = hashes[key];
          const none = key === 'result' ? 'not finished yet' : key === 'base' ? 'not read yet' : 'none';
          return html`<div>
            <dt>
              ${HASHES[key]}${names[key] ? html` <span>${safeText(names[key])}</span>` : nothing}${changed(key) === undefined ? nothing : html`, ${changed(key)}`}
            </dt>
            <dd>${!hash || hash === 'none' ? none : html`<code>${hash}</code>`}</dd>
          </div>`;
        })}
      </dl>
    </div>`;
  }

  #kept({ checkpoints, status, step, maxSteps, created }: RunRecord, { bytes, tests }: RunNotes) {
    const { tests: testing } = this.session;
    const records = testing.store.state.records.filter(({ id }) => tests.includes(id));
    const steps = status === 'finished' ? `${maxSteps}` : `${step} of ${maxSteps}, unfinished`;
    return html`<div>
      <h4>What is kept</h4>
      <dl class="numbers">
        <div>
          <dt>Begun</dt>
          <dd>${showDate(created)}</dd>
        </div>
        <div>
          <dt>Steps</dt>
          <dd>${steps}</dd>
        </div>
        <div>
          <dt>In all</dt>
          <dd>${showBytes(bytes)}</dd>
        </div>
        ${checkpoints.map(
          (kept) =>
            html`<div>
              <dt>Checkpoint ${kept.step}</dt>
              <dd>
                ${kept.loss === undefined ? nothing : html`loss ${showNumber(kept.loss)} · `}${showBytes(kept.bytes)}
              </dd>
            </div>`,
        )}
      </dl>
      ${
        records.length > 0
          ? html`<h4>Tests</h4>
              <ul>
                ${records.map(
                  ({ id, name }) =>
                    html`<li>
                      <button
                        type="button"
                        class="link"
                        @click=${() => {
                          void testing.open(id);
                          this.session.store.update({ view: 'test' });
                        }}
                      >
                        ${safeText(name)}
                      </button>
                    </li>`,
                )}
              </ul>`
          : nothing
      }
    </div>`;
  }
}

const fileName = (name: string): string =>
  name.replace(/[^\p{L}\p{N}.]+/gu, '_').replace(/^_|_$/g, '') || 'run';
