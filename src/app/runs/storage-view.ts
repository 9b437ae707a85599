import '../elements/ask-once.ts';
import '../elements/notice-bar.ts';
import { css, html, nothing } from 'lit';
import { customElement } from 'lit/decorators.js';
import type { StorageAccount, StorageItem } from '../../engine/protocol/comparison.ts';
import { showBytes } from '../../formats/words.ts';
import { safeText } from '../shared/safe-text.ts';
import { SessionView } from '../shared/session-view.ts';
import { shared } from '../shared/styles.ts';

const KINDS = {
  run: 'run',
  test: 'test',
  'base cache': 'prepared base',
  'second copy': 'of the runs and tests, should the browser lose the first',
  'app files': 'so that it works without network',
} as const;

const UNCOUNTED: Readonly<Record<StorageItem['kind'], string>> = {
  run: 'Runs',
  test: 'Tests',
  'base cache': 'Prepared bases',
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
    const { account, refusal } = this.session.storage.store.state;
    if (!account || this.app.storage?.ok === false) {
      return nothing;
    }
    const items = account.items.toSorted((a, b) => b.bytes - a.bytes);
    const largest = Math.max(1, ...items.map(({ bytes }) => bytes));
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
              ${items.map((item) => this.#item(item, largest))}
            </ul>`
          : html`<p class="soft small">Nothing is kept yet.</p>`
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
    // The cache's own name says nothing to a reader.
    const name = kind === 'app files' ? 'The page itself' : kept;
    const { storage, lineage, tests } = this.session;
    const deleting = storage.store.state.deleting === key;
    return html`<li>
      <span class="name"
        >${safeText(name)}
        <span class="soft"
          >·
          ${KINDS[kind]}${parts.length > 1 ? `: ${parts.map((part) => `${part.name} ${showBytes(part.bytes)}`).join(', ')}` : ''}</span
        ></span
      >
      <span class="bytes numbers">${showBytes(bytes)}</span>
      <span class="action"
        >${
          deletable
            ? html`<ask-once
                .subject=${name}
                .locked=${deleting}
                .question=${`Delete ${name} for good? It frees ${showBytes(bytes)}.`}
                @confirmed=${async () => {
                  await storage.delete(key);
                  await Promise.all([lineage.refresh(), tests.refresh()]);
                }}
              ></ask-once>`
            : html`<span class="soft small">in use</span>`
        }</span
      >
      <svg aria-hidden="true" viewBox="0 0 100 1" preserveAspectRatio="none">
        <rect width=${(100 * bytes) / largest} height="1" />
      </svg>
    </li>`;
  }
}
