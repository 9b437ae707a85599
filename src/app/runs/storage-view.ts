import '../elements/ask-once.ts';
import '../elements/notice-bar.ts';
import { css, html, nothing } from 'lit';
import { customElement } from 'lit/decorators.js';
import type { StorageAccount, StorageItem } from '../../engine/protocol/comparison.ts';
import { showBytes } from '../../formats/words.ts';
import { safeText } from '../shared/safe-text.ts';
import { SessionView } from '../shared/session-view.ts';
import { EVERYTHING } from '../shared/storage.ts';
import { shared } from '../shared/styles.ts';
import { runDeletionQuestion } from './deletion-question.ts';

/** What each kind is; of one that has but one item, how that is called. */
const KINDS: Readonly<Record<StorageItem['kind'], { what: string; name?: string }>> = {
  run: { what: 'run' },
  test: { what: 'test' },
  'base cache': { what: 'prepared base' },
  choices: { name: 'Choices of the first screen', what: 'with copies of rows, until a run starts with them' },
  device: { name: 'This device', what: 'which kernels are the fastest on it' },
  leftover: { name: 'Left over', what: 'of what was deleted or not written to its end' },
  'second copy': {
    name: 'A second copy',
    what: 'of runs and tests, should the browser lose the first; deleted with them',
  },
  'app files': { name: 'The page itself', what: 'so that it works without a network' },
};

const UNCOUNTED: Readonly<Record<StorageItem['kind'], string>> = {
  run: 'Runs',
  test: 'Tests',
  'base cache': 'Prepared bases',
  choices: 'Choices of the first screen',
  device: 'What was timed on this device',
  leftover: 'What is left over',
  'second copy': 'The second copy of runs and tests',
  'app files': 'The page itself',
};

/** What takes the browser's storage, what the browser may clear, and how to free it. */
@customElement('storage-view')
export class StorageView extends SessionView {
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
      li {
        display: grid;
        grid-template-columns: minmax(0, 1fr) 5.5rem auto;
        gap: 0.2rem 1rem;
        align-items: center;
        padding: 0.5rem 0;
        border-top: 1px solid var(--line);
        font-size: var(--small);
      }
      li:first-child {
        border-top: 0;
      }
      .name {
        overflow-wrap: anywhere;
      }
      .bytes {
        text-align: right;
      }
      .action {
        min-width: 4.5rem;
        min-height: 1.75rem;
        align-content: center;
        text-align: right;
      }
      svg {
        grid-column: 1 / -1;
        width: 100%;
        height: 0.4rem;
        fill: var(--accent);
        background: var(--sunken);
        border-radius: 2px;
      }
      @media (max-width: 40rem) {
        li {
          grid-template-columns: minmax(0, 1fr) auto;
        }
        .action {
          grid-column: 1 / -1;
        }
      }
    `,
  ];

  protected override get stores() {
    return [this.session.storage.store];
  }

  override render() {
    const { account, refusal, deleting } = this.session.storage.store.state;
    if (!account || this.app.storage?.ok === false) {
      return nothing;
    }
    const items = account.items.toSorted((a, b) => b.bytes - a.bytes);
    const { overhead, lags } = account;
    const largest = Math.max(1, overhead ?? 0, ...items.map(({ bytes }) => bytes));
    const deletable = items.some(({ kind, deletable: free }) => free && kind !== 'app files');
    return html`<section class="panel" aria-labelledby="storage">
      <div>
        <h3 id="storage">Storage</h3>
        <p class="soft small">
          Retune uses ${showBytes(account.used)} of this browser’s storage;
          ${account.left === undefined ? 'the browser does not say how much is left' : `${showBytes(account.left)} are left`}.
        </p>
        ${account.uncounted.map((kind) => html`<p class="soft small">${UNCOUNTED[kind]}: the browser does not let it be counted.</p>`)}
      </div>
      ${this.#promise(account)}
      ${refusal ? html`<notice-bar kind="warn" role="alert" .text=${refusal}></notice-bar>` : nothing}
      ${
        items.length > 0
          ? html`<ul>
              ${items.map((item) => this.#item(item, largest))}${this.#overhead(overhead, largest)}
            </ul>`
          : html`<p class="soft small">Nothing is kept yet.</p>`
      }
      ${
        lags
          ? html`<p class="soft small">
              The browser’s own figure is smaller: it does not count yet what was written last.
            </p>`
          : nothing
      }
      ${
        deletable
          ? html`<div class="row">
              <ask-once
                word="Delete everything"
                .locked=${deleting !== undefined}
                .question=${'Delete all runs, tests, prepared bases and choices for good? Settings of this device stay, and so does the page itself.'}
                @confirmed=${() => this.#delete(EVERYTHING)}
              ></ask-once>
            </div>`
          : nothing
      }
    </section>`;
  }

  #promise({ persisted }: StorageAccount) {
    return persisted
      ? html`<p class="small">Kept until you delete it: the browser has promised not to clear it.</p>`
      : html`<notice-bar
          kind="warn"
          text="The browser may clear all of this when the disk gets full: export what you cannot afford to lose."
          ><button slot="actions" type="button" @click=${() => void this.session.storage.persist()}>
            Ask the browser to keep everything
          </button></notice-bar
        >`;
  }

  #item({ key, kind, name: kept, bytes, parts, deletable }: StorageItem, largest: number) {
    const { what, name = kept } = KINDS[kind];
    const { deleting } = this.session.storage.store.state;
    const largestFirst = parts.toSorted((a, b) => b.bytes - a.bytes);
    return html`<li>
      <span class="name"
        >${safeText(name)}
        <span class="soft"
          >·
          ${what}${parts.length > 1 ? `: ${largestFirst.map((part) => `${part.name} (${showBytes(part.bytes)})`).join(', ')}` : ''}</span
        ></span
      >
      <span class="bytes numbers">${showBytes(bytes)}</span>
      <span class="action"
        >${
          deletable
            ? html`<ask-once
                .subject=${name}
                .locked=${deleting !== undefined}
                .question=${this.#question(key, kind) ?? `Delete ${name} for good${kind === 'test' ? ', with its answers and votes' : ''}? It frees ${showBytes(bytes)}.`}
                @confirmed=${() => this.#delete(key)}
              ></ask-once>`
            : kind === 'second copy'
              ? nothing
              : html`<span class="soft small">in use</span>`
        }</span
      >
      ${bar(bytes, largest)}
    </li>`;
  }

  /** Of a run, what goes with it. */
  #question(key: string, kind: StorageItem['kind']): string | undefined {
    const { lineage, tests } = this.session;
    const notes = lineage.store.state.notes.find(({ id }) => kind === 'run' && key === `run/${id}`);
    return notes && runDeletionQuestion(notes, tests.store.state.records, this.app.runs);
  }

  #overhead(bytes: number | undefined, largest: number) {
    return bytes === undefined
      ? nothing
      : html`<li>
          <span class="name"
            >The browser’s overhead
            <span class="soft"
              >· its own records of all this, and what was deleted and it has not freed yet</span
            ></span
          >
          <span class="bytes numbers">${showBytes(bytes)}</span>
          <span class="action"></span>
          ${bar(bytes, largest)}
        </li>`;
  }

  async #delete(key: string): Promise<void> {
    const { storage, lineage, tests } = this.session;
    await storage.delete(key);
    await Promise.all([lineage.refresh(), tests.refresh()]);
  }
}

const bar = (bytes: number, largest: number) =>
  html`<svg aria-hidden="true" viewBox="0 0 100 1" preserveAspectRatio="none">
    <rect width=${(100 * bytes) / largest} height="1" />
  </svg>`;
