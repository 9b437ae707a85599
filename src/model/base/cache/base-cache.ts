import type { BaseModel } from '../../../formats/base-model.ts';
import type { Folder } from '../../../formats/byte-source.ts';
import { BaseEntries } from './entries.ts';
import { CacheEntry } from './entry.ts';
import { openHeaderSnapshot } from './header-snapshot.ts';
import { type CachedBase, cachedName, fingerprintOf, type Manifest, SMALL_FILES } from './manifest.ts';
import type { CacheStorage } from './storage.ts';

/** A base's files, opened from the cache instead of its folder. */
interface CachedFolder extends Folder {
  readonly cached: { id: string; manifest: Manifest };
}

/**
 * A cache of quantized bases as they are laid out on the device, so that a start reads a third of the bytes,
 * quantizes nothing and does not need the base's folder.
 *
 * What is trusted: an image is keyed by the SHA-256 of the base's files, which is part of a run's identity. Every
 * start checks whether a folder still has that content: if names, sizes, modification times and samples of all
 * files match those of the last full read, it does, as git and make assume; otherwise the files are read whole and
 * hashed again. The image is verified against a checksum at every use, and is not used if the quantizer has changed
 * since. Whoever can write to the cache can change what is trained on, as can whoever can write to the base's
 * folder.
 */
export class BaseCache {
  readonly #entries: BaseEntries;

  constructor(storage: CacheStorage, now: () => number = Date.now) {
    this.#entries = new BaseEntries(storage, now);
  }

  /** The cache's entries, most recently used first. Throws CacheRefusal. */
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
   * The files of a cached base: they open like the base's own folder, and the weights come from the cache.
   * Undefined if no usable entry has this content.
   */
  async folder(content: string, doubleQuant: boolean): Promise<CachedFolder | undefined> {
    const found = await this.#entries.find(content, doubleQuant);
    if (!found) {
      return undefined;
    }
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

  /** The cache entry that belongs to an opened base. */
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
