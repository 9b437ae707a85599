import { blobSource } from '../formats/blob-source.ts';
import type { Folder } from '../formats/byte-source.ts';
import { CacheRefusal, type CacheStorage, type EntryWriter } from '../model/base/cache/storage.ts';
import { storageEstimate } from './quota.ts';

/** Marks an entry as complete: folders cannot be renamed here. */
const COMPLETE = 'complete';
const REMEDY = "the browser has lost it, so choose the base's folder again";
/** Free space that the browser's storage needs, beside an entry, for what a run writes. */
const ROOM = 2;

/** The part of the origin-private file system in use; a worker may write with synchronous handles, which are fast. */
interface Writable {
  write(bytes: Uint8Array<ArrayBuffer>, options: { at: number }): number;
  flush(): void;
  close(): void;
}
export interface CacheFile {
  getFile(): Promise<File>;
  /** Writes replace the file when closed. */
  createWritable(): Promise<{ write(bytes: Uint8Array<ArrayBuffer>): Promise<void>; close(): Promise<void> }>;
  createSyncAccessHandle(): Promise<Writable>;
}
export interface CacheDirectory {
  keys(): AsyncIterable<string>;
  getDirectoryHandle(name: string, options?: { create?: boolean }): Promise<CacheDirectory>;
  getFileHandle(name: string, options?: { create?: boolean }): Promise<CacheFile>;
  removeEntry(name: string, options?: { recursive?: boolean }): Promise<void>;
}

/** The cache's folder in the origin-private file system. Throws CacheRefusal. */
const cacheDirectory = async (): Promise<CacheDirectory> => {
  const { storage } = navigator as { storage?: Partial<StorageManager> };
  const root = (await storage?.getDirectory?.()) as unknown as CacheDirectory | undefined;
  if (!root) {
    throw new CacheRefusal('the browser has no file system of its own');
  }
  return root.getDirectoryHandle('bases', { create: true });
};

/** Entries as folders of the origin-private file system. */
export class BrowserCacheStorage implements CacheStorage {
  readonly #directory: () => Promise<CacheDirectory>;
  readonly #left: () => Promise<number | undefined>;

  /** `left`: bytes that the browser still grants, if it says. */
  constructor(directory = cacheDirectory, left = async () => (await storageEstimate()).left) {
    this.#directory = directory;
    this.#left = left;
  }

  entries(): Promise<string[]> {
    return asCacheRefusal(async () => {
      const directory = await this.#directory();
      const complete = [];
      for await (const name of directory.keys()) {
        if (await fileIn(await directory.getDirectoryHandle(name), COMPLETE)) {
          complete.push(name);
        }
      }
      return complete;
    });
  }

  open(entry: string): Promise<Folder> {
    return asCacheRefusal(async () => {
      const folder = await (await this.#directory()).getDirectoryHandle(entry);
      return {
        name: entry,
        list: async () => (await namesIn(folder)).filter((name) => name !== COMPLETE).toSorted(),
        open: async (name) => {
          const file = await fileIn(folder, name);
          return file && blobSource(`${entry}/${name}`, await file.getFile(), REMEDY);
        },
      };
    });
  }

  begin(entry: string, bytes: number): Promise<EntryWriter> {
    return asCacheRefusal(async () => {
      const directory = await this.#directory();
      await this.#removeLeftovers(directory);
      if (((await this.#left()) ?? Infinity) < ROOM * bytes) {
        throw new CacheRefusal(NO_ROOM);
      }
      await this.remove(entry);
      return new BrowserEntryWriter(await directory.getDirectoryHandle(entry, { create: true }), () =>
        this.remove(entry),
      );
    });
  }

  replace(entry: string, file: string, content: Uint8Array<ArrayBuffer>): Promise<void> {
    return asCacheRefusal(async () => {
      const folder = await (await this.#directory()).getDirectoryHandle(entry);
      const writable = await (await folder.getFileHandle(file, { create: true })).createWritable();
      await writable.write(content);
      await writable.close();
    });
  }

  remove(entry: string): Promise<void> {
    return asCacheRefusal(async () => {
      const directory = await this.#directory();
      const folder = await directory.getDirectoryHandle(entry).catch(absent);
      if (!folder) {
        return;
      }
      // From here on the old entry no longer counts, whatever happens.
      await folder.removeEntry(COMPLETE).catch(absent);
      await directory.removeEntry(entry, { recursive: true });
    });
  }

  /** Bytes of incomplete entries: of those that are being written, and of those that never will be. */
  leftovers(): Promise<number> {
    return asCacheRefusal(async () => {
      const directory = await this.#directory();
      let bytes = 0;
      for (const name of await namesIn(directory)) {
        const folder = await directory.getDirectoryHandle(name);
        for (const file of (await fileIn(folder, COMPLETE)) ? [] : await namesIn(folder)) {
          bytes += (await (await folder.getFileHandle(file)).getFile()).size;
        }
      }
      return bytes;
    });
  }

  removeLeftovers(): Promise<void> {
    return asCacheRefusal(async () => this.#removeLeftovers(await this.#directory()));
  }

  /** One that another tab is writing cannot be removed. */
  async #removeLeftovers(directory: CacheDirectory): Promise<void> {
    for (const name of await namesIn(directory)) {
      const folder = await directory.getDirectoryHandle(name);
      if (!(await fileIn(folder, COMPLETE))) {
        await directory.removeEntry(name, { recursive: true }).catch(() => undefined);
      }
    }
  }
}

class BrowserEntryWriter implements EntryWriter {
  readonly #folder: CacheDirectory;
  readonly #remove: () => Promise<void>;
  readonly #files = new Map<string, { handle: Writable; size: number }>();

  constructor(folder: CacheDirectory, remove: () => Promise<void>) {
    this.#folder = folder;
    this.#remove = remove;
  }

  append(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    return asCacheRefusal(async () => {
      let file = this.#files.get(name);
      if (!file) {
        const made = await this.#folder.getFileHandle(name, { create: true });
        this.#files.set(name, (file = { handle: await made.createSyncAccessHandle(), size: 0 }));
      }
      const written = file.handle.write(bytes, { at: file.size });
      if (written < bytes.length) {
        throw new CacheRefusal(NO_ROOM);
      }
      file.size += written;
    });
  }

  complete(): Promise<void> {
    return asCacheRefusal(async () => {
      for (const { handle } of this.#files.values()) {
        handle.flush();
      }
      this.#close();
      await this.#folder.getFileHandle(COMPLETE, { create: true });
    });
  }

  async abandon(): Promise<void> {
    this.#close();
    await this.#remove();
  }

  #close(): void {
    for (const { handle } of this.#files.values()) {
      handle.close();
    }
    this.#files.clear();
  }
}

const NO_ROOM = 'the browser has no room for it';

async function namesIn(folder: CacheDirectory): Promise<string[]> {
  const names = [];
  for await (const name of folder.keys()) {
    names.push(name);
  }
  return names;
}

const fileIn = (folder: CacheDirectory, name: string): Promise<CacheFile | undefined> =>
  folder.getFileHandle(name).catch(absent);

function absent(error: unknown): undefined {
  if (!(error instanceof DOMException && error.name === 'NotFoundError')) {
    throw error;
  }
}

async function asCacheRefusal<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof DOMException)) {
      throw error;
    }
    throw new CacheRefusal(
      error.name === 'QuotaExceededError' ? NO_ROOM : `the browser refuses it (${error.name})`,
    );
  }
}
