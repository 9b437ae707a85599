import { del, get, set, type UseStore } from 'idb-keyval';
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

  /** Throws UserError if the browser's storage is full. */
  async put(run: string, corrections: readonly Correction[]): Promise<void> {
    const key = runKeys(run).corrections;
    await (corrections.length === 0
      ? del(key, this.#store)
      : withinQuota('The corrections', 1e6, () => set(key, corrections, this.#store)));
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
