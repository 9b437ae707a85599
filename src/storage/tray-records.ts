import { get, promisifyRequest, set, type UseStore } from 'idb-keyval';
import type { Correction } from '../corrections/correction.ts';
import { withinQuota } from './quota.ts';
import { runKeys } from './run-keys.ts';

/**
 * Corrections, among a run's files in the browser's database: `run/<id>/corrections` waits to be trained on top of what
 * the run made, `run/<id>/corrected` is what the run itself was trained on.
 */
export class TrayRecords {
  readonly #store: UseStore;

  constructor(store: UseStore) {
    this.#store = store;
  }

  async corrections(run: string): Promise<readonly Correction[]> {
    return (await get<readonly Correction[]>(runKeys(run).corrections, this.#store)) ?? [];
  }

  /**
   * In one transaction, so that no other tab's change is lost; what `change` throws undoes it. Throws UserError if the
   * browser's storage is full.
   */
  async change(
    run: string,
    change: (corrections: readonly Correction[]) => readonly Correction[],
  ): Promise<void> {
    const key = runKeys(run).corrections;
    await withinQuota('The corrections', 1e6, () =>
      this.#store('readwrite', async (objects) => {
        const before = await promisifyRequest(objects.get(key) as IDBRequest<Correction[] | undefined>);
        let after;
        try {
          after = change(before ?? []);
        } catch (error) {
          objects.transaction.abort();
          throw error;
        }
        if (after.length === 0) {
          objects.delete(key);
        } else {
          objects.put(after, key);
        }
        return promisifyRequest(objects.transaction);
      }),
    );
  }

  async corrected(run: string): Promise<readonly Correction[]> {
    return (await get<readonly Correction[]>(runKeys(run).corrected, this.#store)) ?? [];
  }

  /** Throws UserError if the browser's storage is full. */
  async putCorrected(run: string, corrections: readonly Correction[]): Promise<void> {
    const key = runKeys(run).corrected;
    await withinQuota('The corrections', 1e6, () => set(key, corrections, this.#store));
  }
}
