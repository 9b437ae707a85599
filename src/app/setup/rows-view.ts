import '../elements/length-plot.ts';
import { html, nothing, type TemplateResult } from 'lit';
import { customElement, query } from 'lit/decorators.js';
import { showChanges, writeRowChanges } from '../../formats/row-changes.ts';
import { counted, showCount, showShare } from '../../formats/words.ts';
import { saveFile } from '../../platform/save-file.ts';
import { MAX_FOUND } from '../../text/find-rows.ts';
import { duplicatesOf, type RowsSummary, type RowsSurvey, summarizeRows } from '../../text/rows-survey.ts';
import { isActive } from '../shared/app-state.ts';
import { safeText } from '../shared/safe-text.ts';
import { SessionView } from '../shared/session-view.ts';
import { shared } from '../shared/styles.ts';
import { rowItem } from './row-item.ts';
import { rowTextStyles } from './row-text.ts';
import { LISTS, type RowsList } from './rows-lists.ts';
import { type LookProgress, type LookState, PAGE } from './rows-look.ts';
import { rowsViewStyles } from './rows-view-styles.ts';

/** All rows of a chosen file: figures, search, single rows to leave out or edit, and what can be taken along. */
@customElement('rows-view')
export class RowsView extends SessionView {
  static override styles = [shared, rowTextStyles, rowsViewStyles];
  @query('h3') private heading!: HTMLElement | null;
  /** Counts of what they were made of. */
  #counted:
    { of: readonly unknown[]; summary: RowsSummary; duplicates: ReadonlyMap<number, number> } | undefined;

  protected override get stores() {
    return [...super.stores, this.session.rows];
  }

  override firstUpdated(): void {
    this.heading?.focus();
  }

  override render() {
    const look = this.session.rows;
    const { slot, file, survey, reading, problem, past } = look.state;
    if (!slot || !file) {
      return nothing;
    }
    const locked = isActive(this.app.run);
    return html`<section class="panel" aria-labelledby="rows">
      <div class="row head">
        <h3 id="rows" tabindex="-1">
          ${slot === 'train' ? 'Rows' : 'Validation rows'} of ${safeText(file.name)}
        </h3>
        <div class="row">
          <button type="button" ?disabled=${past.length === 0 || locked} @click=${() => void look.undo()}>
            Undo
          </button>
          <button type="button" @click=${() => look.close()}>Close</button>
        </div>
      </div>
      ${
        look.fits
          ? nothing
          : html`<p class="row small" role="status">
              The file or the length at which rows are cut has changed.
              <button type="button" @click=${() => void look.open(slot)}>Read the rows again</button>
            </p>`
      }
      ${reading ? this.#progress('Reading all rows', reading, () => look.close()) : nothing}
      ${survey ? this.#surveyed(survey, look.state, locked) : nothing}
      ${problem === undefined ? nothing : html`<p class="problem small" role="alert">${safeText(problem)}</p>`}
    </section>`;
  }

  #surveyed(survey: RowsSurvey, state: LookState, locked: boolean) {
    const look = this.session.rows;
    const { summary, duplicates } = this.#count(survey);
    const { rows, editing, searching, exporting } = state;
    const { leftOut, edited } = look;
    return html`<div class="figures">
        ${this.#figures(survey, summary)}
        <length-plot
          .bins=${summary.bins}
          .binWidth=${summary.binWidth}
          .maxLength=${survey.maxLength}
        ></length-plot>
      </div>
      <form @submit=${this.#search} role="search">
        <label
          >Search all rows
          <input
            type="search"
            name="query"
            maxlength="200"
            placeholder="text, or a row’s number"
            .value=${state.query}
          />
        </label>
        <label
          >Show
          <select
            name="list"
            @change=${(event: Event) => void look.show((event.target as HTMLSelectElement).value as RowsList)}
          >
            ${Object.entries(LISTS).map(
              ([name, text]) => html`<option value=${name} ?selected=${name === state.list}>${text}</option>`,
            )}
          </select>
        </label>
        <button type="submit">Search</button>
      </form>
      ${searching ? this.#progress('Searching', searching, () => look.cancelSearch()) : nothing}
      <p class="soft small" role="status">${this.#told(state)}</p>
      <ol aria-label="Rows">
        ${rows.map((row) =>
          rowItem(row, {
            unit: survey.unit,
            leftOut: leftOut.has(row.place),
            edited: edited.has(row.place),
            cut: row.length > survey.maxLength,
            sameAs: duplicates.get(row.place),
            editing: editing?.place === row.place ? editing : undefined,
            locked,
            look,
          }),
        )}
      </ol>
      ${this.#pages(state)}
      ${exporting ? this.#progress('Exporting', exporting, () => look.cancelExport()) : nothing}
      <div class="row">
        <button type="button" ?disabled=${exporting !== undefined} @click=${() => void this.#export('jsonl')}>
          Export the rows as they are trained
        </button>
        <button
          type="button"
          ?disabled=${exporting !== undefined}
          @click=${() => void this.#export('tokens')}
        >
          As token ids and labels
        </button>
        ${
          leftOut.size + edited.size > 0
            ? html`<button type="button" @click=${this.#exportChanges}>Export the changes</button>`
            : nothing
        }
        <span class="soft small"
          >The file stays as it is. On the command line, <code>--train-data</code> takes the rows, and
          <code>--row-changes</code> the changes.</span
        >
      </div>`;
  }

  #figures({ format, maxLength, unit }: RowsSurvey, summary: RowsSummary) {
    const { rows, skipped, tokens, trainedTokens, longest, longestPlace, cut, duplicates } = summary;
    const { leftOut, edited } = this.session.rows;
    const figures: (readonly [string, string | TemplateResult])[] = [
      ['Rows', `${showCount(rows)}, as ${format}`],
      ['Changed', showChanges({ leftOut: leftOut.size, edited: edited.size }) ?? 'none'],
      ['Tokens', `${showCount(tokens)}, ${showShare(trainedTokens, tokens)} trained`],
      [
        'Longest',
        html`${counted(longest, 'token')},
          <button type="button" class="link" @click=${() => void this.session.rows.goTo(longestPlace)}>
            ${unit} ${showCount(longestPlace)}
          </button>`,
      ],
      ['Cut', `${showCount(cut)}, at ${counted(maxLength, 'token')}`],
      ['Duplicates', showCount(duplicates)],
      ['Nothing trained', showCount(skipped)],
    ];
    return html`<dl class="numbers">
      ${figures.map(
        ([name, value]) =>
          html`<dt>${name}</dt>
            <dd>${value}</dd>`,
      )}
    </dl>`;
  }

  /** What is listed, in words. */
  #told({ found, query, list, places, page, searching }: LookState): string {
    if (searching) {
      return '';
    }
    const first = page * PAGE + 1;
    const shown =
      places.length === 0
        ? 'None.'
        : `${showCount(first)}–${showCount(Math.min(first + PAGE - 1, places.length))} of ${showCount(places.length)}.`;
    if (found) {
      const more = found.more
        ? ` The first ${showCount(MAX_FOUND)}; search for more of the text to find others.`
        : '';
      return `Rows that hold “${query.trim()}”: ${shown}${more}`;
    }
    return `${LISTS[list]}: ${shown}`;
  }

  #pages({ places, page }: LookState) {
    const last = Math.max(0, Math.ceil(places.length / PAGE) - 1);
    if (last === 0) {
      return nothing;
    }
    const to = (wanted: number, text: string) =>
      html`<button
        type="button"
        ?disabled=${wanted < 0 || wanted > last || wanted === page}
        @click=${() => void this.session.rows.turn(wanted)}
      >
        ${text}
      </button>`;
    return html`<nav class="row pages" aria-label="Pages of rows">
      <span class="row">${to(0, 'First')} ${to(page - 1, 'Previous')}</span>
      <span class="soft small numbers">page ${showCount(page + 1)} of ${showCount(last + 1)}</span>
      <span class="row">${to(page + 1, 'Next')} ${to(last, 'Last')}</span>
    </nav>`;
  }

  #progress(what: string, { done, total }: LookProgress, cancel: () => void) {
    return html`<div class="row">
      <span class="small">${what}: ${showShare(done, total)}</span>
      <progress max=${total} value=${done} aria-label=${what}></progress>
      <button type="button" @click=${cancel}>Cancel</button>
    </div>`;
  }

  /** A hundred thousand rows take a millisecond, which is not for every letter of a search. */
  #count(survey: RowsSurvey) {
    const { leftOut } = this.session.rows;
    const of = [survey, this.session.rows.state.changes];
    if (!this.#counted || of.some((one, i) => one !== this.#counted!.of[i])) {
      this.#counted = {
        of,
        summary: summarizeRows(survey, leftOut),
        duplicates: duplicatesOf(survey, leftOut),
      };
    }
    return this.#counted;
  }

  readonly #search = (event: SubmitEvent): void => {
    event.preventDefault();
    const query = new FormData(event.target as HTMLFormElement).get('query') as string;
    void this.session.rows.search(query);
  };

  async #export(form: 'jsonl' | 'tokens'): Promise<void> {
    const { file } = this.session.rows.state;
    const rows = await this.session.rows.export(form);
    if (rows && file) {
      saveFile(`${stem(file.name)}-as-trained.${form === 'jsonl' ? 'jsonl' : 'parquet'}`, rows);
    }
  }

  readonly #exportChanges = (): void => {
    const { file, changes } = this.session.rows.state;
    if (file && changes) {
      const text = writeRowChanges(changes, file.name);
      saveFile(`${stem(file.name)}-changes.json`, new Blob([text], { type: 'application/json' }));
    }
  };
}

/** A file's name without what says of which kind it is. */
const stem = (name: string): string => name.replace(/(?:\.[A-Za-z]+)+$/, '');
