import type { LoraWeights } from '../../formats/adapter.ts';
import type { Gpu } from '../../gpu/device.ts';
import { Lora } from '../../model/lora.ts';
import type { ChatVersion } from '../protocol/chat.ts';

/** Adapters on the device at once: those of two or three columns. */
const MAX_LOADED = 3;

/** The adapters that were asked last, on the device. */
export class LoadedAdapters {
  readonly #gpu: Gpu;
  readonly #layers: number;
  readonly #read: (version: ChatVersion) => Promise<readonly LoraWeights[] | undefined>;
  /** The one that was asked last comes last. */
  readonly #loaded = new Map<ChatVersion, Lora>();

  /** `read`: undefined for the base alone. */
  constructor(
    gpu: Gpu,
    layers: number,
    read: (version: ChatVersion) => Promise<readonly LoraWeights[] | undefined>,
  ) {
    this.#gpu = gpu;
    this.#layers = layers;
    this.#read = read;
  }

  /** Throws UserError where it cannot be read. */
  async get(version: ChatVersion): Promise<Lora | undefined> {
    const found = this.#loaded.get(version);
    if (found) {
      this.#loaded.delete(version);
      this.#loaded.set(version, found);
      return found;
    }
    const weights = await this.#read(version);
    if (!weights) {
      return undefined;
    }
    const [oldest] = this.#loaded;
    if (oldest && this.#loaded.size === MAX_LOADED) {
      oldest[1].close();
      this.#loaded.delete(oldest[0]);
    }
    const lora = new Lora(this.#gpu, weights, this.#layers, false);
    this.#loaded.set(version, lora);
    return lora;
  }
}
