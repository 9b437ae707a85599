import type { Answer, ChosenFile, ChosenFolder, EngineApi } from '../../engine/protocol/protocol.ts';
import type { FoundRows, RowsSurvey, ShownRow } from '../../engine/protocol/rows.ts';
import { defaultRecipe } from '../../formats/recipe.ts';
import { anyChanges, noChanges, type RowChanges } from '../../formats/row-changes.ts';
import { UserError } from '../../formats/user-error.ts';
import { withSurveyed } from '../../text/rows-survey.ts';
import type { AppState } from '../shared/app-state.ts';
import { Asking } from '../shared/asking.ts';
import { Store } from '../shared/store.ts';
import type { Choices } from './choices.ts';
import { listedRows, type RowsList } from './rows-lists.ts';

export type RowsSlot = 'train' | 'validation';

export interface LookProgress {
  done: number;
  total: number;
}

export interface LookState {
  /** Whose rows are looked through, and their file; nobody's if undefined. */
  slot?: RowsSlot | undefined;
  file?: File | undefined;
  survey?: RowsSurvey | undefined;
  changes?: RowChanges | undefined;
  /** Changes before each of the latest. */
  past: readonly RowChanges[];
  reading?: LookProgress | undefined;
  searching?: LookProgress | undefined;
  exporting?: LookProgress | undefined;
  problem?: string | undefined;
  list: RowsList;
  /** What was searched for, and what was found. */
  query: string;
  found?: FoundRows | undefined;
  /** Numbers of the listed rows, and of those on the page that is shown. */
  places: readonly number[];
  page: number;
  rows: readonly ShownRow[];
  editing?: { place: number; text: string; problem?: string | undefined } | undefined;
}

/** What a survey depends on, besides the edited rows. */
interface Asked extends Pick<ChosenFile, 'file' | 'columns'> {
  base: ChosenFolder;
  maxLength: number;
}

const CLOSED: LookState = { past: [], list: 'all', query: '', places: [], page: 0, rows: [] };
/** Rows of a page. */
export const PAGE = 10;
const MAX_UNDO = 100;

/** Looks through all rows of a chosen file, and changes them over it. */
export class RowsLook extends Store<LookState> {
  readonly #engine: EngineApi;
  readonly #app: Store<AppState>;
  readonly #choices: Choices;
  /** The latest survey, with what it was asked of: another look at the same rows need not encode them again. */
  #known: { asked: Asked; survey: RowsSurvey; changes: RowChanges } | undefined;
  readonly #asking = new Asking<'survey' | 'rows' | 'search' | 'export' | 'edit'>();

  constructor(engine: EngineApi, app: Store<AppState>, choices: Choices) {
    super(CLOSED);
    this.#engine = engine;
    this.#app = app;
    this.#choices = choices;
    app.subscribe(() => this.#follow());
  }

  get leftOut(): ReadonlySet<number> {
    return new Set(this.state.changes?.leftOut);
  }

  get edited(): ReadonlySet<number> {
    return new Set(this.state.changes?.edited.map(([row]) => row));
  }

  /** Whether what it shows is still what is chosen and how it will be cut. */
  get fits(): boolean {
    const { slot, file, survey } = this.state;
    const chosen = slot && this.#app.state.slots[slot].chosen;
    return chosen?.file === file && (!survey || survey.maxLength === this.#maxLength);
  }

  async open(slot: RowsSlot): Promise<void> {
    const { chosen } = this.#app.state.slots[slot];
    const base = this.#app.state.slots.base.chosen;
    if (!chosen || !base) {
      return;
    }
    const { file, changes } = chosen;
    const asked = { base, file, columns: chosen.columns, maxLength: this.#maxLength };
    const known = this.#known;
    if (known && sameParts(known.asked, asked) && differentEdits(known.changes, changes).length === 0) {
      const { survey, changes: before } = known;
      this.update({ ...CLOSED, ...NOTHING, slot, file, survey, changes: changes ?? noChanges(before.of) });
      return this.show('all');
    }
    const reading = { done: 0, total: file.size };
    this.update({ ...CLOSED, slot, file, changes, reading, survey: undefined, ...NOTHING });
    const answer = await this.#asking.ask('survey', (signal) =>
      this.#engine.surveyRows(
        base,
        chosen,
        this.#maxLength,
        (done, total) => this.update({ reading: { done, total } }),
        signal,
      ),
    );
    if (!answer) {
      return;
    }
    if (!answer.ok) {
      this.update({ reading: undefined, problem: answer.sentence });
      return;
    }
    const { survey, sha256 } = answer.value;
    const read = changes ?? noChanges(sha256);
    this.#known = { asked, survey, changes: read };
    this.update({ reading: undefined, survey, changes: read });
    await this.show('all');
  }

  close(): void {
    for (const key of ['survey', 'rows', 'search', 'export', 'edit'] as const) {
      this.#asking.drop(key);
    }
    this.update({
      ...CLOSED,
      slot: undefined,
      file: undefined,
      survey: undefined,
      changes: undefined,
      ...NOTHING,
    });
  }

  /** Lists rows, without a search. */
  async show(list: RowsList): Promise<void> {
    this.#asking.drop('search');
    this.update({ list, query: '', found: undefined, searching: undefined, places: this.#listed(list) });
    await this.turn(0);
  }

  /** Lists the rows that hold a text; of digits alone also the row of that number, first. */
  async search(query: string): Promise<void> {
    const text = query.trim();
    const rows = this.#rows();
    const { survey } = this.state;
    if (text === '' || !rows || !survey) {
      return this.show('all');
    }
    this.update({ list: 'all', query, searching: { done: 0, total: rows.file.size }, problem: undefined });
    const answer = await this.#asking.ask('search', (signal) =>
      this.#engine.findRows(rows, text, (done, total) => this.update({ searching: { done, total } }), signal),
    );
    if (!answer) {
      return;
    }
    this.update({ searching: undefined });
    if (!answer.ok) {
      this.update({ problem: answer.sentence });
      return;
    }
    const number = /^\d{1,9}$/.test(text) && survey.places.includes(Number(text)) ? [Number(text)] : [];
    const others = answer.value.places.filter((place) => !number.includes(place));
    this.update({ found: answer.value, places: [...number, ...others] });
    await this.turn(0);
  }

  cancelSearch(): void {
    this.#asking.drop('search');
    this.update({ searching: undefined });
  }

  /** Shows the row of this number, among all. */
  async goTo(place: number): Promise<void> {
    this.update({ list: 'all', query: '', found: undefined, places: this.#listed('all') });
    await this.turn(Math.floor(this.state.places.indexOf(place) / PAGE));
  }

  /** Shows a page of the listed rows. */
  async turn(page: number): Promise<void> {
    const places = this.state.places.slice(page * PAGE, (page + 1) * PAGE);
    const answer = await this.#showRows('rows', this.state.changes, places);
    if (!answer) {
      return;
    }
    if (!answer.ok) {
      this.update({ problem: answer.sentence });
      return;
    }
    const byPlace = new Map(answer.value.map((row) => [row.place, row]));
    const rows = places.flatMap((place) => byPlace.get(place) ?? []);
    this.update({ page, rows, editing: undefined, problem: undefined });
  }

  edit(editing: LookState['editing']): void {
    this.update({ editing });
  }

  /** Takes changes if their rows can be read, and remembers those before; resolves to why they cannot. */
  async change(next: RowChanges, { undo = false } = {}): Promise<string | undefined> {
    const { changes, slot, past } = this.state;
    if (!changes || !slot) {
      return undefined;
    }
    const places = differentEdits(changes, next);
    if (places.length > 0) {
      const answer = await this.#showRows('edit', next, places);
      if (!answer?.ok) {
        return answer?.sentence;
      }
      let { survey, rows } = this.state;
      for (const row of answer.value) {
        survey = survey && withSurveyed(survey, row);
        rows = rows.map((shown) => (shown.place === row.place ? row : shown));
      }
      this.update({ survey, rows });
    }
    const { survey } = this.state;
    if (this.#known && survey) {
      this.#known = { ...this.#known, survey, changes: next };
    }
    this.update({ changes: next, past: undo ? past.slice(0, -1) : [...past, changes].slice(-MAX_UNDO) });
    this.#choices.setChanges(slot, anyChanges(next));
    return undefined;
  }

  async undo(): Promise<void> {
    const last = this.state.past.at(-1);
    const problem = last && (await this.change(last, { undo: true }));
    if (problem !== undefined) {
      this.update({ problem });
    }
  }

  /** The rows as they are trained; undefined where that was canceled or failed. */
  async export(form: 'jsonl' | 'tokens'): Promise<Blob | undefined> {
    const rows = this.#rows();
    const base = this.#app.state.slots.base.chosen;
    if (!rows || !base) {
      return undefined;
    }
    this.update({ exporting: { done: 0, total: rows.file.size }, problem: undefined });
    const tell = (done: number, total: number) => this.update({ exporting: { done, total } });
    const answer = await this.#asking.ask('export', (signal) =>
      form === 'jsonl'
        ? this.#engine.exportRows(rows, tell, signal)
        : this.#engine.exportTokens(base, rows, this.#maxLength, tell, signal),
    );
    if (answer) {
      this.update({ exporting: undefined, problem: answer.ok ? undefined : answer.sentence });
    }
    return answer?.ok ? answer.value : undefined;
  }

  cancelExport(): void {
    this.#asking.cancel('export', new UserError('Exporting the rows was canceled; nothing was written.'));
  }

  /** What was changed elsewhere, such as by a check before the start, counts here too. */
  #follow(): void {
    const { slot, file, changes } = this.state;
    const chosen = slot && this.#app.state.slots[slot].chosen;
    if (!changes || chosen?.file !== file || chosen?.changes === anyChanges(changes)) {
      return;
    }
    if (differentEdits(changes, chosen?.changes).length > 0) {
      void this.open(slot!);
    } else {
      this.update({ changes: chosen?.changes ?? noChanges(changes.of), past: [] });
    }
  }

  get #maxLength(): number {
    return (this.#app.state.recipe ?? defaultRecipe()).training.maxLength;
  }

  #rows(changes = this.state.changes): ChosenFile | undefined {
    const { slot } = this.state;
    const chosen = slot && this.#app.state.slots[slot].chosen;
    return chosen && { ...chosen, changes };
  }

  #listed(list: RowsList): readonly number[] {
    const { survey, changes } = this.state;
    return survey ? listedRows(list, survey, changes) : [];
  }

  #showRows(
    key: 'rows' | 'edit',
    changes: RowChanges | undefined,
    places: readonly number[],
  ): Promise<Answer<ShownRow[]> | undefined> {
    const rows = this.#rows(changes);
    const base = this.#app.state.slots.base.chosen;
    if (!rows || !base || places.length === 0) {
      return Promise.resolve({ ok: true, value: [] });
    }
    const sorted = places.toSorted((a, b) => a - b);
    return this.#asking.ask(key, (signal) =>
      this.#engine.showRows(base, rows, this.#maxLength, sorted, signal),
    );
  }
}

/** What does not outlast another look. */
const NOTHING = {
  searching: undefined,
  exporting: undefined,
  problem: undefined,
  found: undefined,
  editing: undefined,
} as const;

const sameParts = (a: Asked, b: Asked): boolean =>
  (Object.keys(a) as (keyof Asked)[]).every((key) => a[key] === b[key]);

/** The rows that are read as other texts by one than by the other. */
function differentEdits(a: RowChanges | undefined, b: RowChanges | undefined): number[] {
  const [before, after] = [new Map(a?.edited), new Map(b?.edited)];
  const rows = new Set([...before.keys(), ...after.keys()]);
  return [...rows].filter((row) => before.get(row) !== after.get(row));
}
