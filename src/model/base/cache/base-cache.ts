import type { BaseModel } from '../../../formats/base-model.ts';
import type { Folder } from '../../../formats/byte-source.ts';
import type { CacheStorage } from './storage.ts';
import { BaseEntries } from './entries.ts';
import { cachedName, fingerprintOf, SMALL_FILES, type CachedBase, type Manifest } from './manifest.ts';
import { CacheEntry } from './entry.ts';
import { openHeaderSnapshot } from './header-snapshot.ts';

/** A base's files from the cache, in the place of its own folder. */
export interface CachedFolder extends Folder {
  readonly cached: { id: string; manifest: Manifest };
}

/**
 * Bases as they lie on the device once they are quantized, so that a start reads a third of the bytes, quantizes
 * nothing and needs no base folder.
 *
 * What is trusted: an image belongs to the SHA-256 of the base's files that a run's identity holds. Whether a folder
 * still has that content is asked anew at every start: where names, sizes, times of the last change and samples of all
 * files are those that were seen when they were last read whole, it is taken as known, as git and make do; else the
 * files are read whole and hashed again. The image itself is checked against a checksum at every use, and is not used
 * where the quantizer has changed since. Whoever can write into the cache's place can change what is trained on, as
 * can whoever can write into the base's.
 */
export class BaseCache {
  readonly #entries: BaseEntries;

  constructor(storage: CacheStorage, now: () => number = Date.now) {
    this.#entries = new BaseEntries(storage, now);
  }

  /** What is in the cache, the latest used first. Throws CacheRefusal. */
  async list(): Promise<CachedBase[]> {
    const all = [];
    for (const [id, manifest] of await this.#entries.manifests()) {
      const { name, doubleQuant, created, lastUsed, content } = manifest;
      const folder = await this.#entries.storage.open(id);
      const files = await Promise.all((await folder.list()).map((file) => folder.open(file)));
      const bytes = files.reduce((sum, file) => sum + (file?.size ?? 0), 0);
      all.push({ id, name, bytes, doubleQuant, created, lastUsed, content });
    }
    return all.toSorted((a, b) => b.lastUsed - a.lastUsed);
  }

  /** Throws CacheRefusal. */
  delete(id: string): Promise<void> {
    return this.#entries.storage.remove(id);
  }

  /**
   * The files of a base that is in the cache: it opens like the base's own folder, and its weights come from the
   * cache. Undefined where there is none of this content that could be loaded.
   */
  async folder(content: string, doubleQuant: boolean): Promise<CachedFolder | undefined> {
    const found = await this.#entries.find(content, doubleQuant);
    if (!found) return undefined;
    const { id, manifest } = found;
    const folder = await this.#entries.storage.open(id);
    const skeleton = await openHeaderSnapshot(folder, manifest.name);
    return {
      name: manifest.name,
      cached: { id, manifest },
      known: { tied: manifest.tied },
      list: () => folder.list(),
      open: async (file) => (SMALL_FILES.includes(file) ? folder.open(cachedName(file)) : skeleton(file)),
    };
  }

  /** The place of an opened base in the cache. */
  async slot(model: BaseModel, doubleQuant: boolean): Promise<CacheEntry> {
    if (isCached(model.folder)) {
      const { id, manifest } = model.folder.cached;
      return new CacheEntry(this.#entries, {
        model,
        doubleQuant,
        content: manifest.content,
        seen: undefined,
        id,
      });
    }
    const seen = await fingerprintOf(model);
    const content = seen && (await this.#entries.contentOf(seen));
    return new CacheEntry(this.#entries, { model, doubleQuant, content, seen, id: undefined });
  }
}

const isCached = (folder: Folder): folder is CachedFolder => 'cached' in folder;
