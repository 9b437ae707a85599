import './folder-offers.ts';
import { css, html, LitElement, nothing } from 'lit';
import { customElement, property, query, state } from 'lit/decorators.js';
import type { ChosenFile, ChosenFolder } from '../../engine/protocol/protocol.ts';
import {
  type Dropped,
  folderFromInput,
  hasPickers,
  pickFile,
  pickFolder,
  readDrop,
} from '../../platform/file-pickers.ts';
import { folderWithin } from '../../platform/read-folder.ts';
import { openProblem } from '../shared/open-problem.ts';
import { safeText } from '../shared/safe-text.ts';
import { shared } from '../shared/styles.ts';
import { cardStyles } from './choice-card-styles.ts';
import { type FolderOffers, type Mark, meantBy, type Offers } from './folder-offers.ts';

/** What file inputs offer where rows are to be chosen. */
export const ROW_FILES = '.jsonl,.json,.csv,.tsv,.txt,.parquet,.gz,application/jsonl';

export type Fact = readonly [name: string, value: string];

/** Characters of name and value up to which they share a line, and of a value beyond which it is collapsed. */
const BESIDE = 52;
const SHOWN = 280;

function folded(value: string) {
  const beginning = value.slice(0, SHOWN / 2).replace(/,?\s+\S*$/, '');
  return html`<details>
    <summary><span class="beginning">${safeText(beginning)} …</span> <span class="link">all</span></summary>
    ${safeText(value)}
  </details>`;
}

/**
 * One thing to choose, by picker, by dropping or by file input. Fires `chosen` with a ChosenFolder or ChosenFile as
 * its detail, `cleared`, and `canceled` while it is read.
 */
@customElement('choice-card')
export class ChoiceCard extends LitElement {
  /** The picker remembers the last folder under this name. */
  @property() slotName = '';
  @property() number = '';
  @property() heading = '';
  @property() hint = '';
  @property() kind: 'folder' | 'file' = 'folder';
  @property() accept = '';
  @property() chosenName = '';
  @property({ attribute: false }) facts: readonly Fact[] = [];
  @property() problem = '';
  @property() waiting = '';
  @property({ type: Boolean }) reading = false;
  @property({ type: Boolean }) optional = false;
  @property({ type: Boolean }) quiet = false;
  @property({ type: Boolean }) locked = false;
  /** A folder may also be given as a zip: fires `zip` with the file. */
  @property({ type: Boolean }) zips = false;
  /** The file that a folder must hold; of a folder with several that hold it, one is asked for. */
  @property() mark: Mark | undefined;
  /** Nothing need be chosen here any more. */
  @property({ type: Boolean }) settled = false;
  /** It can be changed, but not cleared. */
  @property({ type: Boolean }) fixed = false;
  @state() private over = false;
  @state() private ownProblem = '';
  @state() private offers: Offers | undefined;
  @query('input') private input!: HTMLInputElement;
  @query('button.choose') private button!: HTMLButtonElement;
  @query('folder-offers') private offered!: FolderOffers;
  @query('input.zip') private zipInput!: HTMLInputElement;

  static override styles = [
    shared,
    css`
      :host {
        display: block;
      }
    `,
    cardStyles,
  ];

  override render() {
    const { heading, chosenName, locked } = this;
    const problem = this.ownProblem || this.problem;
    const state = problem
      ? 'bad'
      : this.facts.length > 0 || (this.settled && !chosenName)
        ? 'good'
        : chosenName
          ? 'busy'
          : 'empty';
    return html`<section
      class="card ${state} ${this.quiet ? 'quiet' : ''} ${this.over ? 'over' : ''}"
      aria-labelledby="heading"
      aria-busy=${this.reading}
      @dragover=${this.#dragOver}
      @dragleave=${() => (this.over = false)}
      @drop=${this.#drop}
    >
      <header>
        ${this.number ? html`<span class="number" aria-hidden="true">${state === 'good' ? '✓' : this.number}</span>` : nothing}
        <h3 id="heading">
          ${heading}${this.optional ? html` <span class="soft">(optional)</span>` : nothing}
        </h3>
      </header>
      ${chosenName ? html`<p class="name">${safeText(chosenName)}</p>` : html`<p class="soft small hint">${safeText(this.hint)}</p>`}
      <div aria-live="polite" id="report">${this.#report(problem)}</div>
      ${this.offers && !locked ? html`<folder-offers .offers=${this.offers} .mark=${this.mark!} @taken=${(event: CustomEvent<string>) => void this.#taken(event)}></folder-offers>` : nothing}
      <slot></slot>
      <footer class="row">
        <button
          type="button"
          class="choose"
          ?disabled=${locked}
          aria-describedby=${problem ? 'report' : nothing}
          @click=${this.#choose}
        >
          ${chosenName ? 'Change' : this.kind === 'folder' ? 'Choose folder' : 'Choose file'}<span
            class="only-heard"
          >
            : ${heading}</span
          >
        </button>
        ${this.#second()}
      </footer>
      <input
        type="file"
        data-slot=${this.slotName}
        tabindex="-1"
        aria-hidden="true"
        hidden
        accept=${this.accept || nothing}
        ?webkitdirectory=${this.kind === 'folder'}
        @change=${this.#fromInput}
      />
      ${
        this.zips
          ? html`<input
              type="file"
              class="zip"
              tabindex="-1"
              aria-hidden="true"
              hidden
              accept=".zip"
              @change=${this.#zipFromInput}
            />`
          : nothing
      }
    </section>`;
  }

  /** Beside the button that chooses. */
  #second() {
    const { heading, chosenName, locked } = this;
    const link = (act: string, click: () => void) =>
      html`<button type="button" class="link" @click=${click}>
        ${act}<span class="only-heard"> ${heading}</span>
      </button>`;
    if (this.reading) {
      return link('Cancel', () => this.dispatchEvent(new CustomEvent('canceled')));
    }
    if (chosenName && !locked && !this.fixed) {
      return link('Remove', () => this.#clear());
    }
    if (this.zips && !locked) {
      return html`<span class="soft small"
        >or a ${link('zip', () => void this.#chooseZip())}, or drop it</span
      >`;
    }
    return html`<span class="soft small">${locked ? '' : 'or drop it'}</span>`;
  }

  #report(problem: string) {
    if (problem) {
      return html`<p class="problem"><strong>Not usable:</strong> ${safeText(problem)}</p>`;
    }
    if (this.reading) {
      return html`<p class="soft small">Reading…</p>`;
    }
    if (this.facts.length === 0) {
      return this.chosenName && html`<p class="soft small">${this.waiting}</p>`;
    }
    return html`<dl class="numbers">
      ${this.facts.map(
        ([name, value]) =>
          html`<div class=${name.length + value.length > BESIDE ? 'long' : nothing}>
            <dt>${name}</dt>
            <dd>${value.length > SHOWN ? folded(value) : safeText(value)}</dd>
          </div>`,
      )}
    </dl>`;
  }

  async #choose(): Promise<void> {
    if (!hasPickers()) {
      return this.input.click();
    }
    await this.#opened(async () =>
      this.#chosen(await (this.kind === 'folder' ? pickFolder(this.slotName) : pickFile(this.slotName))),
    );
  }

  async #opened(open: () => Promise<void>): Promise<void> {
    try {
      await open();
    } catch (error) {
      this.offers = undefined;
      this.ownProblem = openProblem(error);
    }
  }

  async #fromInput(): Promise<void> {
    const { files } = this.input;
    const file = files?.[0];
    if (file) {
      await this.#opened(async () =>
        this.#chosen(this.kind === 'folder' ? await folderFromInput(files) : { file }),
      );
    }
    // The same choice again must fire again.
    this.input.value = '';
  }

  #dragOver(event: DragEvent): void {
    if (this.locked) {
      return;
    }
    event.preventDefault();
    this.over = true;
  }

  async #drop(event: DragEvent): Promise<void> {
    if (this.locked || !event.dataTransfer) {
      return;
    }
    event.preventDefault();
    this.over = false;
    const { dataTransfer } = event;
    await this.#opened(async () => {
      const dropped = await readDrop(dataTransfer);
      if (dropped) {
        await this.#take(dropped);
      }
    });
  }

  async #take(dropped: NonNullable<Dropped>): Promise<void> {
    const { kind } = this;
    if (kind === 'folder' && 'folder' in dropped) {
      return this.#chosen(dropped.folder);
    }
    if (kind === 'file' && 'files' in dropped && dropped.files.length === 1) {
      return this.#chosen(dropped.files[0]);
    }
    if (this.zips && 'files' in dropped && dropped.files.length === 1) {
      return this.#zip(dropped.files[0]!.file);
    }
    const found =
      'folder' in dropped
        ? `${dropped.folder.name} is a folder`
        : `${dropped.files.map(({ file }) => file.name).join(', ')} came without a folder`;
    const expected =
      kind === 'folder'
        ? 'a folder with its files, expected here; drop the whole folder'
        : 'one file, expected here; drop only that file';
    this.offers = undefined;
    this.ownProblem = `${found}, not ${expected}.`;
  }

  async #chosen(detail: ChosenFolder | ChosenFile | undefined): Promise<void> {
    if (!detail) {
      return;
    }
    const { mark } = this;
    const meant = mark && !('file' in detail) ? await meantBy(detail, mark) : detail;
    this.ownProblem = '';
    this.offers = 'paths' in meant ? meant : undefined;
    if ('paths' in meant) {
      const focused = this.shadowRoot!.activeElement !== null;
      await this.updateComplete;
      if (focused) {
        this.offered.focus();
      }
      return;
    }
    this.dispatchEvent(new CustomEvent('chosen', { detail: meant }));
  }

  async #taken({ detail: path }: CustomEvent<string>): Promise<void> {
    const { folder } = this.offers!;
    this.button.focus();
    await this.#opened(async () => this.#chosen(await folderWithin(folder, path)));
  }

  #zip(file: File): void {
    this.ownProblem = '';
    this.offers = undefined;
    this.dispatchEvent(new CustomEvent('zip', { detail: file }));
  }

  async #chooseZip(): Promise<void> {
    if (!hasPickers()) {
      return this.zipInput.click();
    }
    await this.#opened(async () => {
      const picked = await pickFile(this.slotName);
      if (picked) {
        this.#zip(picked.file);
      }
    });
  }

  #zipFromInput(): void {
    const [file] = this.zipInput.files ?? [];
    if (file) {
      this.#zip(file);
    }
    // The same choice again must fire again.
    this.zipInput.value = '';
  }

  #clear(): void {
    this.ownProblem = '';
    this.offers = undefined;
    this.dispatchEvent(new CustomEvent('cleared'));
  }
}
