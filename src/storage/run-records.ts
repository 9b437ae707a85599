import { get, set, type UseStore } from 'idb-keyval';
import type { LogEntry } from '../formats/trainer-state.ts';
import type { RunIdentity } from '../run/identity.ts';
import type { Recipe } from '../formats/recipe.ts';
import { replace, under, valuesUnder } from './database.ts';
import { placeOf } from './browser-run-store.ts';
import { withinQuota } from './quota.ts';

/** The user's files of a run, where the browser gives handles: with them a reload needs at most one permission. */
export interface InputHandles {
  base?: FileSystemDirectoryHandle | undefined;
  source?: FileSystemDirectoryHandle | undefined;
  train?: FileSystemFileHandle | undefined;
  validation?: FileSystemFileHandle | undefined;
}

/** What is kept of a run beside its checkpoints and its result. */
export interface StoredRun {
  id: string;
  name: string;
  /** Milliseconds since 1970. */
  created: number;
  status: 'unfinished' | 'finished';
  /** The user stopped it: it does not go on by itself. */
  stopped: boolean;
  /** How often it went on by itself since its last checkpoint; undefined in the records of earlier versions. */
  restarts?: number | undefined;
  step: number;
  maxSteps: number;
  recipe: Recipe;
  /** Names of the inputs, as the user knows them. */
  inputs: { base: string; source: string | undefined; train: string; validation: string | undefined };
  handles: InputHandles;
  /** Hashes of the inputs: the run goes on with these and no others. */
  identity: RunIdentity;
  log: readonly LogEntry[];
}

const RECORDS = 'record/';

/** The runs in this browser. */
export class RunRecords {
  readonly #store: UseStore;

  constructor(store: UseStore) {
    this.#store = store;
  }

  /** Newest first. */
  async list(): Promise<StoredRun[]> {
    return (await valuesUnder<StoredRun>(this.#store, RECORDS)).toSorted((a, b) => b.created - a.created);
  }

  get(id: string): Promise<StoredRun | undefined> {
    return get(RECORDS + id, this.#store);
  }

  /** Throws UserError where the browser's storage is full. */
  async put(record: StoredRun): Promise<void> {
    await withinQuota(record.name, 1e6, () => set(RECORDS + record.id, record, this.#store));
  }

  /** Deletes a run with its checkpoints, result and logs. */
  async delete(id: string): Promise<void> {
    await replace(this.#store, [under(placeOf(id)), RECORDS + id], []);
  }
}
