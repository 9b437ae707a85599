import { del, get, keys, set, type UseStore } from 'idb-keyval';
import { UserError } from '../formats/user-error.ts';
import { withinQuota } from './quota.ts';

/** A run's small files: with these and the cached base, it resumes without asking for anything. */
interface SmallInputs {
  /** The source adapter's own files; undefined if the run started a fresh one, or one stored here. */
  source: readonly File[] | undefined;
  train: File;
  validation: File | undefined;
}

/** Larger files are not copied. */
const MAX_BYTES = 2 ** 29;
const PREFIX = 'inputs/';

export function bytesOf({ source = [], train, validation }: SmallInputs): number {
  return [...source, train, ...(validation ? [validation] : [])].reduce((sum, { size }) => sum + size, 0);
}

/** Copies of runs' small files in the browser's database. */
export class KeptInputs {
  readonly #store: UseStore;

  constructor(store: UseStore) {
    this.#store = store;
  }

  /**
   * Stores copies, unless there are some already, they are too large or there is no space: a run works without
   * them.
   */
  async keep(id: string, inputs: SmallInputs): Promise<void> {
    const bytes = bytesOf(inputs);
    if (bytes > MAX_BYTES) {
      return;
    }
    try {
      if (await this.has(id)) {
        return;
      }
      await withinQuota('The run', bytes, () => set(PREFIX + id, inputs, this.#store));
    } catch (error) {
      if (!(error instanceof UserError)) {
        throw error;
      }
    }
  }

  get(id: string): Promise<SmallInputs | undefined> {
    return get(PREFIX + id, this.#store);
  }

  async has(id: string): Promise<boolean> {
    return (await keys(this.#store)).includes(PREFIX + id);
  }

  delete(id: string): Promise<void> {
    return del(PREFIX + id, this.#store);
  }
}
