import '../elements/folder-offers.ts';
import { css, html, nothing } from 'lit';
import { customElement, property, query, state } from 'lit/decorators.js';
import { folderOf } from '../../engine/files/files.ts';
import type { ChosenFolder } from '../../engine/protocol/protocol.ts';
import { missingOfAdapter } from '../../formats/adapter.ts';
import { folderFromInput, hasPickers, pickFolder, readDrop } from '../../platform/file-pickers.ts';
import { folderWithin } from '../../platform/read-folder.ts';
import { type FolderOffers, meantBy, type Offers } from '../elements/folder-offers.ts';
import { openProblem } from '../shared/open-problem.ts';
import { safeText } from '../shared/safe-text.ts';
import { SessionView } from '../shared/session-view.ts';
import { shared } from '../shared/styles.ts';
import { type Candidate, named } from './test-draft.ts';

/** Which versions answer: base, what runs began with, made and kept, and any adapter folder. */
@customElement('test-versions-view')
export class TestVersionsView extends SessionView {
  @property({ attribute: false }) candidates: readonly Candidate[] = [];
  /** Keys of those that are ticked. */
  @property({ attribute: false }) chosen: readonly string[] = [];
  @state() private problem = '';
  @state() private over = false;
  @state() private offers: Offers | undefined;
  @query('button.add') private button!: HTMLButtonElement;
  @query('folder-offers') private offered!: FolderOffers;
  @query('input[type=file]') private input!: HTMLInputElement;

  static override styles = [
    shared,
    css`
      :host {
        display: block;
      }
      .panel {
        display: grid;
        gap: 0.8rem;
      }
      .over {
        border-color: var(--accent);
        background: var(--accent-soft);
      }
      .groups {
        display: grid;
        grid-template-columns: repeat(auto-fill, minmax(min(17rem, 100%), 1fr));
        gap: 0.9rem 1.5rem;
        align-items: start;
      }
      fieldset {
        border: 0;
        margin: 0;
        padding: 0;
        min-width: 0;
        display: grid;
        gap: 0.3rem;
      }
      legend {
        padding: 0;
        margin-bottom: 0.3rem;
        font-size: var(--tiny);
        color: var(--ink-soft);
        overflow-wrap: anywhere;
      }
      label.check {
        align-items: baseline;
      }
      label.check input {
        transform: translateY(0.15rem);
      }
      .detail {
        color: var(--ink-soft);
        overflow-wrap: anywhere;
      }
      .order {
        font-size: var(--small);
      }
      .problem {
        color: var(--bad);
      }
    `,
  ];

  override render() {
    const groups = Map.groupBy(this.candidates, ({ group }) => group);
    const order = named(this.candidates.filter(({ key }) => this.chosen.includes(key)));
    return html`<section
      class="panel ${this.over ? 'over' : ''}"
      aria-labelledby="versions"
      @dragover=${(event: DragEvent) => {
        event.preventDefault();
        this.over = true;
      }}
      @dragleave=${() => (this.over = false)}
      @drop=${this.#drop}
    >
      <div class="row">
        <h3 id="versions">Versions</h3>
        <p class="soft small">All share one base; the last two selected are compared first.</p>
      </div>
      <div class="groups">
        ${[...groups].map(
          ([group, list]) =>
            html`<fieldset>
              <legend>${safeText(group)}</legend>
              ${list.map((candidate) => this.#candidate(candidate))}
            </fieldset>`,
        )}
      </div>
      <p class="order" aria-live="polite">
        ${order.length > 0 ? html`<span class="soft">Order:</span> ${safeText(order.map(({ name }) => name).join(', '))}` : nothing}
      </p>
      ${this.problem ? html`<p class="small problem" id="problem" role="alert">${safeText(this.problem)}</p>` : nothing}
      ${this.offers ? html`<folder-offers .offers=${this.offers} .mark=${'adapter_config.json'} @taken=${(event: CustomEvent<string>) => void this.#taken(event)}></folder-offers>` : nothing}
      <div class="row">
        <button
          type="button"
          class="add"
          aria-describedby=${this.problem ? 'problem' : nothing}
          @click=${this.#choose}
        >
          Add an adapter folder
        </button>
        <span class="soft small">or drop it</span>
        <input
          type="file"
          data-slot="test-folder"
          tabindex="-1"
          aria-hidden="true"
          hidden
          webkitdirectory
          @change=${this.#fromInput}
        />
      </div>
    </section>`;
  }

  #candidate({ key, name, detail }: Candidate) {
    return html`<label class="check"
      ><input
        type="checkbox"
        name=${key}
        .checked=${this.chosen.includes(key)}
        @change=${(event: Event) => this.#tick(key, (event.target as HTMLInputElement).checked)}
      /><span
        ><b>${safeText(name)}</b>
        ${detail === name ? nothing : html`<span class="detail">${safeText(detail)}</span>`}</span
      ></label
    >`;
  }

  #tick(key: string, ticked: boolean): void {
    const others = this.chosen.filter((other) => other !== key);
    this.session.testDrafts.change({ versions: ticked ? [...others, key] : others });
  }

  async #choose(): Promise<void> {
    if (!hasPickers()) {
      return this.input.click();
    }
    await this.#opened(() => pickFolder('test-folder'));
  }

  async #fromInput(): Promise<void> {
    const { files } = this.input;
    const chosen = files?.[0] && this.#opened(() => folderFromInput(files));
    // The same choice again must fire again.
    this.input.value = '';
    await chosen;
  }

  async #opened(open: () => Promise<ChosenFolder | undefined>): Promise<void> {
    try {
      const folder = await open();
      if (folder) {
        await this.#add(folder);
      }
    } catch (error) {
      this.offers = undefined;
      this.problem = openProblem(error);
    }
  }

  async #drop(event: DragEvent): Promise<void> {
    this.over = false;
    const { dataTransfer } = event;
    if (!dataTransfer) {
      return;
    }
    event.preventDefault();
    await this.#opened(async () => {
      const dropped = await readDrop(dataTransfer);
      if (!dropped || 'folder' in dropped) {
        return dropped?.folder;
      }
      this.offers = undefined;
      this.problem = `${dropped.files[0]!.file.name} is a file; drop the adapter’s folder.`;
      return undefined;
    });
  }

  async #taken({ detail: path }: CustomEvent<string>): Promise<void> {
    const { folder } = this.offers!;
    this.button.focus();
    await this.#opened(() => folderWithin(folder, path));
  }

  async #add(chosen: ChosenFolder): Promise<void> {
    const folder = await meantBy(chosen, 'adapter_config.json');
    this.offers = 'paths' in folder ? folder : undefined;
    if ('paths' in folder) {
      this.problem = '';
      const focused = this.shadowRoot!.activeElement !== null;
      await this.updateComplete;
      if (focused) {
        this.offered.focus();
      }
      return;
    }
    const missing = ['adapter_config.json', 'adapter_model.safetensors'].find(
      (name) => !folder.files.some((file) => file.name === name),
    );
    this.problem = missing ? (await missingOfAdapter(folderOf(folder), missing)).message : '';
    if (!missing) {
      this.session.testDrafts.addFolder(folder, this.chosen);
    }
  }
}
