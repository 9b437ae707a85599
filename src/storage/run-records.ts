import { get, promisifyRequest, set, update, type UseStore } from 'idb-keyval';
import type { Recipe } from '../formats/recipe.ts';
import type { RowChanges } from '../formats/row-changes.ts';
import type { LogEntry } from '../formats/trainer-state.ts';
import type { CardLineage } from '../run/card-lineage.ts';
import type { RunIdentity } from '../run/checkpoint/identity.ts';
import type { BestStep } from '../run/options.ts';
import type { PrecisionChoice } from '../run/precision.ts';
import type { SampleFilm } from '../run/samples/film.ts';
import type { Columns } from '../text/columns.ts';
import type { Moment } from '../text/moment.ts';
import { entriesUnder, replaceEntries, under, valuesUnder } from './database.ts';
import { withinQuota } from './quota.ts';
import { runKeys } from './run-keys.ts';

/** The user's files of a run, if the browser provides handles: with them a reload needs at most one permission. */
export interface InputHandles {
  base?: FileSystemDirectoryHandle | undefined;
  source?: FileSystemDirectoryHandle | undefined;
  train?: FileSystemFileHandle | undefined;
  validation?: FileSystemFileHandle | undefined;
}

/** What is stored of a run besides its checkpoints and its result. */
export interface StoredRun {
  id: string;
  name: string;
  /** Milliseconds since 1970. */
  created: number;
  status: 'unfinished' | 'finished';
  /** Whether the user stopped it; then it does not resume automatically. */
  stopped: boolean;
  /** Whether the user paused it; then it does not resume automatically either. */
  paused?: boolean | undefined;
  /** How often it resumed automatically since its last checkpoint; undefined in records of earlier versions. */
  restarts?: number | undefined;
  step: number;
  maxSteps: number;
  recipe: Recipe;
  /** Names of the inputs, as the user knows them. */
  inputs: { base: string; source: string | undefined; train: string; validation: string | undefined };
  handles: InputHandles;
  /** What of its rows is read as what, where the user said so. */
  columns?: { train?: Columns | undefined; validation?: Columns | undefined } | undefined;
  /** What of its rows was left out or edited. */
  changes?: { train?: RowChanges | undefined; validation?: RowChanges | undefined } | undefined;
  /** The run of this browser whose result, or whose checkpoint of `sourceStep`, is the source. */
  sourceRun?: string | undefined;
  sourceStep?: number | undefined;
  /** What the card of a source from elsewhere says of where that comes from. */
  sourceLineage?: CardLineage | undefined;
  /** The precision requested at its start; undefined in records of earlier versions. */
  precision?: PrecisionChoice | undefined;
  /** Its start time for a chat template that writes the date; undefined in records of earlier versions. */
  moment?: Moment | undefined;
  /** Hash of the resulting adapter; undefined until it is known. */
  resultHash?: string | undefined;
  /** The step of the result, if it is the best checkpoint rather than the last. */
  best?: BestStep | undefined;
  /** The eval_loss before the first step, where the log does not have it. */
  baseline?: number | undefined;
  /** Sample prompts and their answers, if it has any. */
  samples?: SampleFilm | undefined;
  /** Whether it was imported from a zip. */
  imported?: boolean | undefined;
  /** The user's note. */
  note?: string | undefined;
  /** The step that the user took as its result: a checkpoint. */
  taken?: TakenStep | undefined;
  /** Hashes of the inputs: the run resumes only with these. */
  identity: RunIdentity;
  /** Each with the `time` at which it was logged, in milliseconds since 1970; earlier versions kept none. */
  log: readonly LogEntry[];
}

/** A checkpoint that stands for its run's result, and the hash of its adapter. */
export interface TakenStep {
  step: number;
  hash: string;
}

/** What the user says of a run; separate from its record, which a run in progress keeps rewriting. */
interface RunNotes {
  name?: string;
  note?: string;
  paused?: boolean;
  taken?: TakenStep | undefined;
}

/** Stands for the hash of a base that is still being read for the first time: the run may be closed meanwhile. */
export const UNREAD = '';

const RECORDS = 'record/';
const NOTES = 'run-notes/';

/** The runs in this browser. */
export class RunRecords {
  readonly #store: UseStore;

  constructor(store: UseStore) {
    this.#store = store;
  }

  /** Newest first. */
  async list(): Promise<StoredRun[]> {
    const records = await valuesUnder<StoredRun>(this.#store, RECORDS);
    const notes = new Map(await entriesUnder<RunNotes>(this.#store, NOTES));
    return records
      .map((record) => ({ ...record, ...notes.get(NOTES + record.id) }))
      .toSorted((a, b) => b.created - a.created);
  }

  async get(id: string): Promise<StoredRun | undefined> {
    const record = await get<StoredRun>(RECORDS + id, this.#store);
    return record && { ...record, ...(await this.#notes(id)) };
  }

  /** Throws UserError if the browser's storage is full. */
  async put(record: StoredRun): Promise<void> {
    await withinQuota(record.name, 1e6, () => set(RECORDS + record.id, record, this.#store));
  }

  /** Changes the record of a run, unless another tab has deleted it. Throws UserError if the browser's storage is full. */
  async amend({ id, name }: StoredRun, change: Partial<StoredRun>): Promise<void> {
    await withinQuota(name, 1e6, () =>
      this.#store('readwrite', async (objects) => {
        const record = await promisifyRequest(objects.get(RECORDS + id) as IDBRequest<StoredRun | undefined>);
        if (record) {
          objects.put({ ...record, ...change }, RECORDS + id);
        }
        return promisifyRequest(objects.transaction);
      }),
    );
  }

  /**
   * Sets a run's name or note, or that it is paused, or what was taken of it, even while it is in progress; in one
   * transaction, so that another tab's change of another of these is not lost. Throws UserError if the browser's
   * storage is full.
   */
  async describe(id: string, change: RunNotes): Promise<void> {
    await withinQuota('The name', 1e6, () =>
      update<RunNotes>(NOTES + id, (notes) => ({ ...notes, ...change }), this.#store),
    );
  }

  /** Everything of a run except its record, or what of it is under a prefix: files by key; blobs have a size. */
  files(id: string, prefix = runKeys(id).all): Promise<[key: string, value: unknown][]> {
    return entriesUnder(this.#store, prefix);
  }

  /** Writes a whole run in one transaction. Throws UserError if the browser's storage is full. */
  async restore(
    record: StoredRun,
    files: readonly (readonly [key: string, value: unknown])[],
  ): Promise<void> {
    const bytes = files.reduce((sum, [, value]) => sum + (value instanceof Blob ? value.size : 0), 0);
    const entries = files.map(([key, value]) => [runKeys(record.id).all + key, value] as const);
    await withinQuota(record.name, bytes, () =>
      replaceEntries(
        this.#store,
        [under(runKeys(record.id).all)],
        [...entries, [RECORDS + record.id, record]],
      ),
    );
  }

  /** Deletes a run with its checkpoints, result and logs. */
  async delete(id: string): Promise<void> {
    await replaceEntries(this.#store, [under(runKeys(id).all), RECORDS + id, NOTES + id], []);
  }

  #notes(id: string): Promise<RunNotes | undefined> {
    return get<RunNotes>(NOTES + id, this.#store);
  }
}

/** The step of a run that the user took as its result: its checkpoint stays. */
export async function takenStep(store: UseStore, id: string): Promise<number | undefined> {
  return (await new RunRecords(store).get(id))?.taken?.step;
}
