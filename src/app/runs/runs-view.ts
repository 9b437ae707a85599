import '../elements/notice-bar.ts';
import './lineage-view.ts';
import './runs-detail-view.ts';
import './recipes-side-view.ts';
import './runs-overlay-view.ts';
import './storage-view.ts';
import { css, html, nothing } from 'lit';
import { customElement, query } from 'lit/decorators.js';
import { SessionView } from '../shared/session-view.ts';
import { shared } from '../shared/styles.ts';
import { runsElsewhere } from './runs-elsewhere.ts';

/** The runs as a family tree, their losses in one plot, and the storage that everything takes. */
@customElement('runs-view')
export class RunsView extends SessionView {
  @query('input') private input!: HTMLInputElement;

  static override styles = [
    shared,
    css`
      :host {
        display: grid;
        gap: var(--gap);
      }
      :host > * {
        min-width: 0;
      }
      .head {
        display: flex;
        flex-wrap: wrap;
        gap: 0.75rem 1.5rem;
        justify-content: space-between;
        align-items: end;
      }
      .said {
        display: contents;
      }
      .two {
        display: grid;
        grid-template-columns: minmax(16rem, 24rem) minmax(0, 1fr);
        gap: var(--gap);
        align-items: start;
      }
      .two.alone {
        grid-template-columns: minmax(0, 1fr);
      }
      h2:focus:not(:focus-visible) {
        outline: none;
      }
      @media (max-width: 60rem) {
        .two {
          grid-template-columns: minmax(0, 1fr);
        }
      }
    `,
  ];

  protected override get stores() {
    return [this.session.store, this.session.lineage.store];
  }

  override connectedCallback(): void {
    super.connectedCallback();
    void this.session.lineage.refresh();
    void this.session.storage.refresh();
  }

  override render() {
    const { session } = this;
    const { notes, said, busy, share, selected } = session.lineage.store.state;
    return html`<div class="head">
        <div>
          <h2 id="heading" tabindex="-1">Runs</h2>
          <p class="soft">Each run with its recipe, data hashes, plots, checkpoints and tests.</p>
        </div>
        <div class="row">
          <button type="button" ?disabled=${busy !== undefined} @click=${() => this.input.click()}>
            ${busy === 'importing' ? html`Importing… ${share}` : 'Import a run or adapter (.zip)'}
          </button>
          ${
            busy === 'importing'
              ? html`<button type="button" class="link" @click=${() => session.lineage.cancel()}>
                  Cancel<span class="only-heard"> the import</span>
                </button>`
              : nothing
          }
        </div>
        <input
          type="file"
          data-slot="import"
          tabindex="-1"
          aria-hidden="true"
          hidden
          accept=".zip,application/zip"
          @change=${this.#import}
        />
      </div>
      <div class="said" role="status">
        ${said ? html`<notice-bar .kind=${said.kind} .text=${said.text}></notice-bar>` : nothing}
      </div>
      ${
        notes.length === 0
          ? html`<div class="panel soft">
              <p>
                ${
                  this.app.storage?.ok === false
                    ? 'The runs that this browser stored cannot be read.'
                    : 'No runs yet: the first appears here once it starts.'
                }
              </p>
              ${runsElsewhere(location).map((text) => html`<p>${text}</p>`)}
            </div>`
          : html`<div class="two ${selected ? '' : 'alone'}">
                <lineage-view .session=${session}></lineage-view>
                ${selected ? html`<runs-detail-view .session=${session} .run=${selected}></runs-detail-view>` : nothing}
              </div>
              <runs-overlay-view .session=${session}></runs-overlay-view>
              <recipes-side-view .session=${session}></recipes-side-view>`
      }
      <storage-view .session=${session}></storage-view>`;
  }

  #import(): void {
    const [file] = this.input.files ?? [];
    if (file) {
      void this.session.lineage.import(file).then(() => this.session.storage.refresh());
    }
    this.input.value = '';
  }

  /** Hands the focus to the page of runs. */
  show(): void {
    this.renderRoot.querySelector<HTMLElement>('#heading')?.focus();
  }
}
