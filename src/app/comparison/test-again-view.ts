import '../elements/choice-card.ts';
import { css, html } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import type { TestFiles } from '../../engine/protocol/comparison.ts';
import type { ChosenFile, ChosenFolder } from '../../engine/protocol/protocol.ts';
import { SessionView } from '../shared/session-view.ts';
import { shared } from '../shared/styles.ts';
import type { MissingFile } from '../shared/test-files.ts';

const MARKS = { base: 'config.json', folder: 'adapter_config.json', validation: undefined } as const;

/** Files that an unfinished test needs and the browser cannot reach, to be chosen again. */
@customElement('test-again-view')
export class TestAgainView extends SessionView {
  @property({ attribute: false }) missing: readonly MissingFile[] = [];

  static override styles = [
    shared,
    css`
      :host {
        display: grid;
        grid-template-columns: repeat(auto-fit, minmax(min(15rem, 100%), 1fr));
        gap: var(--gap);
      }
    `,
  ];

  override render() {
    return this.missing.map(
      (file) =>
        html`<choice-card
          .slotName=${`again-${file.what}${file.folder ?? ''}`}
          .heading=${{ base: 'Base model', validation: 'Validation rows', folder: 'Adapter' }[file.what]}
          .kind=${file.what === 'validation' ? 'file' : 'folder'}
          .mark=${MARKS[file.what]}
          .hint=${`${file.name}, as it was chosen for this test.`}
          .quiet=${true}
          @chosen=${(event: CustomEvent) => this.#chosen(file, event.detail)}
        ></choice-card>`,
    );
  }

  #chosen({ what, folder }: MissingFile, detail: ChosenFolder | ChosenFile): void {
    const { store } = this.session.tests;
    const { again } = store.state;
    const added: TestFiles =
      what === 'folder'
        ? { folders: { ...again.folders, [folder!]: detail as ChosenFolder } }
        : what === 'base'
          ? { base: detail as ChosenFolder }
          : { validation: detail as ChosenFile };
    store.update({ again: { ...again, ...added } });
  }
}
