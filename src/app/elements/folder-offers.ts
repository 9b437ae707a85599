import { css, html, LitElement } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import type { ChosenFolder } from '../../engine/protocol/protocol.ts';
import { foldersWith, folderWithin } from '../../platform/read-folder.ts';
import { safeText } from '../shared/safe-text.ts';
import { shared } from '../shared/styles.ts';

/** Files by which a base model's and an adapter's folder are known. */
export type Mark = 'config.json' | 'adapter_config.json';

const WHAT: Readonly<Record<Mark, string>> = {
  'config.json': 'base models',
  'adapter_config.json': 'adapters',
};

/** A chosen folder in which several others could be meant. */
export interface Offers {
  folder: ChosenFolder;
  paths: readonly string[];
}

/** What is meant by a chosen folder: itself, the only one in it that fits, or one of several, which are to be offered. */
export async function meantBy(folder: ChosenFolder, mark: Mark): Promise<ChosenFolder | Offers> {
  const paths = foldersWith(folder, mark);
  if (paths.length === 1) {
    return folderWithin(folder, paths[0]!);
  }
  return paths.length > 1 ? { folder, paths } : folder;
}

/** The folders of which one is to be chosen, as buttons. Fires `taken` with the path of one. */
@customElement('folder-offers')
export class FolderOffers extends LitElement {
  @property({ attribute: false }) offers!: Offers;
  @property() mark: Mark = 'config.json';

  static override styles = [
    shared,
    css`
      :host {
        display: grid;
        gap: 0.5rem;
        font-size: var(--small);
        overflow-wrap: anywhere;
      }
      ul {
        list-style: none;
        margin: 0;
        /* Room for the outline of what has the focus. */
        margin: -5px;
        padding: 5px;
        max-height: 14rem;
        overflow-y: auto;
        display: flex;
        flex-wrap: wrap;
        gap: 0.4rem;
      }
      button {
        text-align: left;
        overflow-wrap: anywhere;
        white-space: normal;
      }
    `,
  ];

  override render() {
    const { folder, paths } = this.offers;
    return html`<p id="which" role="status">
        <strong>Which one?</strong> ${safeText(folder.name)} holds ${paths.length} ${WHAT[this.mark]}:
      </p>
      <ul aria-labelledby="which">
        ${paths.map(
          (path) =>
            html`<li><button type="button" @click=${() => this.#take(path)}>${safeText(path)}</button></li>`,
        )}
      </ul>`;
  }

  override focus(): void {
    this.renderRoot.querySelector('button')?.focus();
  }

  #take(path: string): void {
    this.dispatchEvent(new CustomEvent('taken', { detail: path }));
  }
}
