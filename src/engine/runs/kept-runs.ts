import type { UseStore } from 'idb-keyval';
import { UserError } from '../../formats/user-error.ts';
import { BrowserRunStore } from '../../storage/browser-run-store.ts';
import { RunRecords, type StoredRun } from '../../storage/run-records.ts';

/** The runs that this browser stores. */
export class KeptRuns {
  readonly records: RunRecords;
  protected readonly store: UseStore;

  constructor(store: UseStore, records = new RunRecords(store)) {
    this.store = store;
    this.records = records;
  }

  /** Throws UserError where there is no such run. */
  async record(id: string): Promise<StoredRun> {
    const record = await this.records.get(id);
    if (!record) {
      throw new UserError(
        'This run is no longer in this browser: it was deleted, or the site data was cleared.',
      );
    }
    return record;
  }

  storeOf({ id, name }: Pick<StoredRun, 'id' | 'name'>): BrowserRunStore {
    return new BrowserRunStore(this.store, id, name);
  }
}
