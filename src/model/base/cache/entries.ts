import { encodeUtf8 } from '../../../formats/utf8.ts';
import { IMAGE_LAYOUT, MANIFEST, type Manifest, readManifest } from './manifest.ts';
import { CacheRefusal, type CacheStorage } from './storage.ts';

/** The entries of a base cache, as their manifests describe them. */
export class BaseEntries {
  readonly storage: CacheStorage;
  readonly now: () => number;

  constructor(storage: CacheStorage, now: () => number) {
    this.storage = storage;
    this.now = now;
  }

  /** A usable entry; undefined if there is none or the storage refuses. */
  async find(content: string, doubleQuant: boolean): Promise<{ id: string; manifest: Manifest } | undefined> {
    const found = (await this.#readable()).find(
      ([, m]) => m.content === content && m.doubleQuant === doubleQuant && m.layout === IMAGE_LAYOUT,
    );
    return found && { id: found[0], manifest: found[1] };
  }

  /**
   * The content that files with this fingerprint had when last read whole; undefined if unknown or the storage
   * refuses.
   */
  async contentOf(fingerprint: string): Promise<string | undefined> {
    const known = await this.#readable();
    return known.find(([, { fingerprints }]) => fingerprints.includes(fingerprint))?.[1].content;
  }

  /** The readable entries; those of other versions of Retune are skipped. Throws CacheRefusal. */
  async manifests(): Promise<[id: string, Manifest][]> {
    const all: [string, Manifest][] = [];
    for (const id of await this.storage.entries()) {
      const manifest = await readManifest(await this.storage.open(id)).catch(() => undefined);
      if (manifest) {
        all.push([id, manifest]);
      }
    }
    return all;
  }

  /** Throws CacheRefusal. */
  async writeManifest(id: string, manifest: Manifest): Promise<void> {
    await this.storage.replace(id, MANIFEST, encodeUtf8(JSON.stringify(manifest)));
  }

  #readable(): Promise<[id: string, Manifest][]> {
    return this.manifests().catch((error: unknown) => {
      if (error instanceof CacheRefusal) {
        return [];
      }
      throw error;
    });
  }
}
