import { del, get, keys, set, type UseStore } from 'idb-keyval';
import { withinQuota } from './quota.ts';
import { UserError } from '../formats/user-error.ts';

/** A run's small files: with them and the base from the cache it goes on without asking for anything. */
export interface SmallInputs {
  /** The source adapter's own files; undefined where the run started a fresh one, or from one kept here. */
  source: readonly File[] | undefined;
  train: File;
  validation: File | undefined;
}

/** What is larger is left where it is. */
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

  /** Keeps copies unless there are some, where they are not too large and there is room: a run does without them. */
  async keep(id: string, inputs: SmallInputs): Promise<void> {
    const bytes = bytesOf(inputs);
    if (bytes > MAX_BYTES) return;
    try {
      if (await this.has(id)) return;
      await withinQuota('The run', bytes, () => set(PREFIX + id, inputs, this.#store));
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
    }
  }

  get(id: string): Promise<SmallInputs | undefined> {
    return get(PREFIX + id, this.#store);
  }

  async has(id: string): Promise<boolean> {
    return (await keys(this.#store)).includes(PREFIX + id);
  }

  /** Bytes of what is kept of a run. */
  async bytes(id: string): Promise<number> {
    const inputs = await this.get(id);
    return inputs ? bytesOf(inputs) : 0;
  }

  delete(id: string): Promise<void> {
    return del(PREFIX + id, this.#store);
  }
}
