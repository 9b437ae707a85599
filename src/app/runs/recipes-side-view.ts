import { css, html, nothing } from 'lit';
import { customElement, state } from 'lit/decorators.js';
import { visibleText } from '../../formats/visible-text.ts';
import { counted } from '../../formats/words.ts';
import { safeText } from '../shared/safe-text.ts';
import { SessionView } from '../shared/session-view.ts';
import { shared } from '../shared/styles.ts';
import { comparedRuns } from './recipe-differences.ts';

/** Two runs' recipes side by side, with what differs marked. */
@customElement('recipes-side-view')
export class RecipesSideView extends SessionView {
  /** Ids of the two runs; undefined: the run that is open, or the latest, and the next. */
  @state() private chosen: readonly (string | undefined)[] = [undefined, undefined];
  @state() private all = false;

  static override styles = [
    shared,
    css`
      :host {
        display: block;
      }
      .panel {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: 0.8rem;
      }
      label.run {
        flex: 1 1 10rem;
        min-width: 0;
        font-size: var(--tiny);
        color: var(--ink-soft);
      }
      table {
        width: 100%;
        border-collapse: collapse;
        table-layout: fixed;
        font-size: var(--small);
      }
      th,
      td {
        padding: 0.35rem 0.6rem 0.35rem 0;
        text-align: left;
        vertical-align: top;
        overflow-wrap: anywhere;
        border-top: 1px solid var(--line);
      }
      thead th {
        border-top: 0;
        font-size: var(--tiny);
        color: var(--ink-soft);
      }
      th[scope='rowgroup'] {
        padding-top: 0.8rem;
        border-top: 0;
      }
      th[scope='row'] {
        font-weight: 400;
      }
      code {
        display: block;
        font: 0.75rem/1.4 var(--mono);
        color: var(--ink-soft);
      }
      .differs td {
        background: var(--warn-soft);
        font-weight: 600;
        padding-left: 0.5rem;
      }
      .mark {
        color: var(--warn);
      }
    `,
  ];

  protected override get stores() {
    return [this.session.store, this.session.lineage.store];
  }

  override render() {
    const { runs } = this.app;
    if (runs.length < 2) {
      return nothing;
    }
    const { selected } = this.session.lineage.store.state;
    const [first, second] = this.chosen;
    const is = (id: string | undefined) => (run: { id: string }) => run.id === id;
    const a = runs.find(is(first)) ?? runs.find(is(selected)) ?? runs[0]!;
    const b = runs.find((run) => run.id === second) ?? runs.find((run) => run.id !== a.id)!;
    const { notes } = this.session.lineage.store.state;
    const withHashes = (record: typeof a) => ({ record, hashes: notes.find(is(record.id))?.hashes });
    const groups = comparedRuns(withHashes(a), withHashes(b));
    const different = groups.flatMap(({ settings }) => settings.filter(({ differs }) => differs)).length;
    const shown = groups
      .map(({ name, settings }) => ({
        name,
        settings: settings.filter(({ differs }) => this.all || differs),
      }))
      .filter(({ settings }) => settings.length > 0);
    return html`<section class="panel" aria-labelledby="recipes">
      <h3 id="recipes">Compare recipes</h3>
      <div class="row">${this.#choice('First run', 0, a.id)} ${this.#choice('Second run', 1, b.id)}</div>
      <div class="row">
        <label class="check"
          ><input
            type="checkbox"
            .checked=${this.all}
            @change=${(event: Event) => (this.all = (event.target as HTMLInputElement).checked)}
          />Also what is the same</label
        >
        <span class="soft small" role="status"
          >${
            a.id === b.id
              ? 'This is one and the same run.'
              : different === 0
                ? 'Both were trained on the same, by the same recipe.'
                : `${counted(different, 'difference')}.`
          }</span
        >
      </div>
      ${
        shown.length > 0
          ? html`<table>
              <thead>
                <tr>
                  <th scope="col">Setting</th>
                  <th scope="col">${safeText(a.name)}</th>
                  <th scope="col">${safeText(b.name)}</th>
                </tr>
              </thead>
              ${shown.map((group) => this.#group(group))}
            </table>`
          : nothing
      }
    </section>`;
  }

  #choice(label: string, index: 0 | 1, chosen: string) {
    return html`<label class="run"
      >${label}
      <select
        @change=${(event: Event) =>
          (this.chosen = this.chosen.with(index, (event.target as HTMLSelectElement).value))}
      >
        ${this.app.runs.map(
          ({ id, name }) =>
            html`<option value=${id} .selected=${id === chosen}>${visibleText(name)}</option>`,
        )}
      </select></label
    >`;
  }

  #group({ name, settings }: ReturnType<typeof comparedRuns>[number]) {
    return html`<tbody>
      <tr>
        <th scope="rowgroup" colspan="3">${name}</th>
      </tr>
      ${settings.map(
        ({ name: setting, key, values, differs }) =>
          html`<tr class=${differs ? 'differs' : ''}>
            <th scope="row">
              ${
                differs
                  ? html`<span class="mark" aria-hidden="true">≠ </span
                      ><span class="only-heard">differs: </span>`
                  : nothing
              }${setting}${key === undefined ? nothing : html`<code>${key}</code>`}
            </th>
            ${values.map((value) => html`<td>${value === '' ? html`<span class="soft">empty</span>` : safeText(value)}</td>`)}
          </tr>`,
      )}
    </tbody>`;
  }
}
