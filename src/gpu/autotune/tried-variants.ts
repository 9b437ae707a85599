import type { Gpu } from '../device.ts';
import { deviceKey, type TuningCache } from './tuning-results.ts';

/** Separates variant names. */
const AND = '; ';

const crashedKey = (key: string): string => `not to be tried: ${key}`;

/**
 * A device's tuning results: the best variant of each trial, and the variants not to try again because an earlier
 * start ended while running them. The variant being tried is listed among these until it has finished.
 */
export class TuningResults {
  readonly #cache: TuningCache | undefined;
  readonly #device: string;
  readonly #kept: Map<string, string>;
  /** By trial, as found at the start. */
  readonly #crashed = new Map<string, readonly string[]>();

  private constructor(cache: TuningCache | undefined, device: string, kept: Map<string, string>) {
    this.#cache = cache;
    this.#device = device;
    this.#kept = kept;
  }

  static async open(gpu: Gpu, cache: TuningCache | undefined): Promise<TuningResults> {
    const device = deviceKey(gpu);
    return new TuningResults(cache, device, new Map(Object.entries((await cache?.get(device)) ?? {})));
  }

  best(key: string): string | undefined {
    return this.#kept.get(key);
  }

  /** Variants during whose trial an earlier start ended. */
  crashed(key: string): readonly string[] {
    let crashed = this.#crashed.get(key);
    if (!crashed) {
      this.#crashed.set(key, (crashed = this.#kept.get(crashedKey(key))?.split(AND) ?? []));
    }
    return crashed;
  }

  /** Records which variant is being tried; undefined for none. */
  async markTrying(key: string, name: string | undefined): Promise<void> {
    const names = [...this.crashed(key), ...(name === undefined ? [] : [name])].join(AND);
    if (names === (this.#kept.get(crashedKey(key)) ?? '')) {
      return;
    }
    if (names) {
      this.#kept.set(crashedKey(key), names);
    } else {
      this.#kept.delete(crashedKey(key));
    }
    await this.#save();
  }

  async setBest(key: string, name: string): Promise<void> {
    this.#kept.set(key, name);
    const crashed = this.crashed(key).join(AND);
    if (crashed) {
      this.#kept.set(crashedKey(key), crashed);
    } else {
      this.#kept.delete(crashedKey(key));
    }
    await this.#save();
  }

  async #save(): Promise<void> {
    await this.#cache?.set(this.#device, Object.fromEntries(this.#kept));
  }
}
