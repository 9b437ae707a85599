import type { BaseModel } from '../../../formats/base-model.ts';
import { readAll } from '../../../formats/byte-source.ts';
import { UserError } from '../../../formats/user-error.ts';
import { encodeUtf8 } from '../../../formats/utf8.ts';
import type { Gpu } from '../../../gpu/device.ts';
import type { DecoderWeights } from '../../weights.ts';
import type { BaseEntries } from './entries.ts';
import { takeHeaderSnapshot } from './header-snapshot.ts';
import {
  cachedName,
  fingerprintOf,
  IMAGE,
  IMAGE_LAYOUT,
  MANIFEST,
  type Manifest,
  SMALL_FILES,
} from './manifest.ts';
import { DamagedImage, imageTensors, readImage, writeImage } from './packed-image.ts';
import { CacheRefusal } from './storage.ts';

type OnProgress = (done: number, total: number) => void;

/** Maximum fingerprints remembered per content. */
const MAX_FINGERPRINTS = 8;

interface SlotParts {
  model: BaseModel;
  doubleQuant: boolean;
  content: string | undefined;
  /** Fingerprint of the base's files when this object was created. */
  seen: string | undefined;
  /** The entry that the model was opened from. */
  id: string | undefined;
}

/** The cache entry of one base. */
export class CacheEntry {
  readonly #entries: BaseEntries;
  readonly #parts: SlotParts;
  #content: string | undefined;

  constructor(entries: BaseEntries, parts: SlotParts) {
    this.#entries = entries;
    this.#parts = parts;
    this.#content = parts.content;
  }

  /** SHA-256 of the base's files, if known without reading them whole. */
  get content(): string | undefined {
    return this.#content;
  }

  /** Records that the base's files were just read whole and hashed. */
  async identified(content: string): Promise<void> {
    this.#content = content;
    const { model, seen, doubleQuant } = this.#parts;
    const found = seen && (await this.#entries.find(content, doubleQuant));
    if (!found || seen !== (await fingerprintOf(model))) {
      return;
    }
    const fingerprints = [...found.manifest.fingerprints, seen].slice(-MAX_FINGERPRINTS);
    await ignoringRefusal(() => this.#entries.writeManifest(found.id, { ...found.manifest, fingerprints }));
  }

  /**
   * Fills the base's buffers from the cache; false if it is not cached. Deletes a damaged entry. Throws UserError
   * if the base's own files are not available either.
   */
  async restore(gpu: Gpu, weights: DecoderWeights, onProgress: OnProgress): Promise<boolean> {
    const found = this.#content && (await this.#entries.find(this.#content, this.#parts.doubleQuant));
    if (!found) {
      return this.#missing();
    }
    const { id, manifest } = found;
    try {
      const image = await (await this.#entries.storage.open(id)).open(IMAGE);
      if (!image) {
        throw new DamagedImage(IMAGE);
      }
      await readImage(gpu, weights, image, manifest.checksum, onProgress);
    } catch (error) {
      if (!(error instanceof DamagedImage || error instanceof UserError || error instanceof CacheRefusal)) {
        throw error;
      }
      await ignoringRefusal(() => this.#entries.storage.remove(id));
      return this.#missing();
    }
    await ignoringRefusal(() =>
      this.#entries.writeManifest(id, { ...manifest, lastUsed: this.#entries.now() }),
    );
    return true;
  }

  /**
   * Stores a loaded base whose content is known, unless it is cached already or its files have changed meanwhile.
   * Throws CacheRefusal if there is no space for it, leaving nothing behind.
   */
  async keep(gpu: Gpu, weights: DecoderWeights, onProgress: OnProgress): Promise<void> {
    const { model, doubleQuant, seen } = this.#parts;
    const content = this.#content;
    if (!content || (seen && seen !== (await fingerprintOf(model)))) {
      return;
    }
    if (await this.#entries.find(content, doubleQuant)) {
      return;
    }
    const id = content.slice(0, 16) + (doubleQuant ? '' : '-plain');
    const bytes = imageTensors(weights).reduce((sum, { view }) => sum + view.size, 0);
    const writer = await this.#entries.storage.begin(id, bytes);
    try {
      for (const name of SMALL_FILES) {
        const file = await model.folder.open(name);
        if (file) {
          await writer.append(cachedName(name), (await readAll(file)) as Uint8Array<ArrayBuffer>);
        }
      }
      for (const [name, chunks] of Object.entries(await takeHeaderSnapshot(model))) {
        for (const chunk of chunks) {
          await writer.append(name, chunk);
        }
      }
      const checksum = await writeImage(gpu, weights, (chunk) => writer.append(IMAGE, chunk), onProgress);
      const now = this.#entries.now();
      const manifest: Manifest = {
        name: model.folder.name,
        doubleQuant,
        created: now,
        lastUsed: now,
        content,
        layout: IMAGE_LAYOUT,
        tied: model.config.tied,
        checksum,
        fingerprints: seen ? [seen] : [],
      };
      await writer.append(MANIFEST, encodeUtf8(JSON.stringify(manifest)));
      await writer.complete();
    } catch (error) {
      await ignoringRefusal(() => writer.abandon());
      throw error;
    }
  }

  #missing(): false {
    const { id, model } = this.#parts;
    if (id === undefined) {
      return false;
    }
    throw new UserError(
      `${model.folder.name}: its copy in the cache is gone or damaged; choose the base's folder again.`,
    );
  }
}

/** For work that only helps the next start: a CacheRefusal is ignored. */
async function ignoringRefusal(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof CacheRefusal)) {
      throw error;
    }
  }
}
