import type { Gpu } from '../device.ts';
import { deviceKey, type TuningCache } from './tuning-results.ts';

/** Between the names of variants. */
const AND = '; ';

const fatalKey = (race: string): string => `not to be tried: ${race}`;

/**
 * What the cache knows of a device's races: their winners, and the variants that are not to be tried again, since a
 * start ended while they were. The variant that is being tried stands among these until it has been.
 */
export class TuningResults {
  readonly #cache: TuningCache | undefined;
  readonly #device: string;
  readonly #kept: Map<string, string>;
  /** Of each race, as this start found it. */
  readonly #fatal = new Map<string, readonly string[]>();

  private constructor(cache: TuningCache | undefined, device: string, kept: Map<string, string>) {
    this.#cache = cache;
    this.#device = device;
    this.#kept = kept;
  }

  static async open(gpu: Gpu, cache: TuningCache | undefined): Promise<TuningResults> {
    const device = deviceKey(gpu);
    return new TuningResults(cache, device, new Map(Object.entries((await cache?.get(device)) ?? {})));
  }

  winner(race: string): string | undefined {
    return this.#kept.get(race);
  }

  /** Variants during whose trial an earlier start ended. */
  fatal(race: string): readonly string[] {
    let fatal = this.#fatal.get(race);
    if (!fatal) this.#fatal.set(race, (fatal = this.#kept.get(fatalKey(race))?.split(AND) ?? []));
    return fatal;
  }

  /** Keeps that this variant is being tried, or that none is. */
  async trying(race: string, name: string | undefined): Promise<void> {
    const names = [...this.fatal(race), ...(name === undefined ? [] : [name])].join(AND);
    if (names === (this.#kept.get(fatalKey(race)) ?? '')) return;
    if (names) this.#kept.set(fatalKey(race), names);
    else this.#kept.delete(fatalKey(race));
    await this.#save();
  }

  async won(race: string, winner: string): Promise<void> {
    this.#kept.set(race, winner);
    const fatal = this.fatal(race).join(AND);
    if (fatal) this.#kept.set(fatalKey(race), fatal);
    else this.#kept.delete(fatalKey(race));
    await this.#save();
  }

  async #save(): Promise<void> {
    await this.#cache?.set(this.#device, Object.fromEntries(this.#kept));
  }
}
