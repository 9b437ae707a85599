import type { Dirent } from 'node:fs';
import { type FileHandle, open, readdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { Option } from 'commander';
import { showBytes } from '../formats/words.ts';
import { BaseCache } from '../model/base/cache/base-cache.ts';
import { CacheRefusal, type CacheStorage, type EntryWriter } from '../model/base/cache/storage.ts';
import { defaultCacheFolder } from './cache-folder.ts';
import {
  makeFolder,
  move,
  nearestFolder,
  partialName,
  remove,
  syncFolder,
  writeDurably,
} from './durable-files.ts';
import { nodeFolder } from './node-files.ts';
import { NONE } from './options.ts';
import { isRunning } from './processes.ts';
import { errorCode } from './stats.ts';

/** Free disk space needed beside an entry, for what a run writes. */
const ROOM = 2;

export const baseCacheOption = () =>
  new Option(
    '--base-cache <folder>',
    `where quantized bases are kept for the next start; "${NONE}" keeps none`,
  ).default(defaultCacheFolder() ?? NONE);

/** The cache that `--base-cache` names; undefined for none. */
export const openBaseCache = (folder: string): BaseCache | undefined =>
  folder === NONE ? undefined : new BaseCache(new FolderCacheStorage(folder));

/** The form of CacheEntry's entry names; other folders, however many, are ignored. */
const ENTRY = /^[0-9a-f]{16}(-plain)?$/;
const PARTIAL = /^\..+\.(\d+)\.partial(-removed)?$/;

/** A folder of entries; an incomplete one has a hidden name with the writer's process id. */
export class FolderCacheStorage implements CacheStorage {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  entries(): Promise<string[]> {
    // Files beside them are not ours.
    return asCacheRefusal(async () =>
      (await this.#contents())
        .filter((found) => found.isDirectory() && ENTRY.test(found.name))
        .map((found) => found.name),
    );
  }

  open(entry: string) {
    return asCacheRefusal(() => nodeFolder(join(this.#path, entry)));
  }

  begin(entry: string, bytes: number): Promise<EntryWriter> {
    return asCacheRefusal(async () => {
      await this.#removeLeftovers();
      const disk = await statfs(await nearestFolder(this.#path));
      const free = disk.bavail * disk.bsize;
      if (free < ROOM * bytes) {
        throw new CacheRefusal(`it takes ${showBytes(bytes)}, and ${showBytes(free)} are free on its disk`);
      }
      const partial = partialName(join(this.#path, entry));
      await remove(partial);
      await makeFolder(partial);
      return new FolderEntryWriter(partial, join(this.#path, entry));
    });
  }

  replace(entry: string, file: string, content: Uint8Array<ArrayBuffer>): Promise<void> {
    const path = join(this.#path, entry, file);
    const partial = partialName(path);
    return asCacheRefusal(async () => {
      try {
        await writeDurably(partial, [content]);
        await move(partial, path);
      } catch (error) {
        await remove(partial).catch(() => undefined);
        throw error;
      }
    });
  }

  remove(entry: string): Promise<void> {
    return asCacheRefusal(() => removeEntry(join(this.#path, entry)));
  }

  async #contents(): Promise<Dirent[]> {
    return readdir(this.#path, { withFileTypes: true }).catch((error: unknown) => {
      if (errorCode(error) === 'ENOENT') {
        return [];
      }
      throw error;
    });
  }

  /** Incomplete entries of processes that are gone. */
  async #removeLeftovers(): Promise<void> {
    for (const { name } of await this.#contents()) {
      const pid = PARTIAL.exec(name)?.[1];
      if (pid !== undefined && !isRunning(Number(pid))) {
        await remove(join(this.#path, name));
      }
    }
  }
}

/** Brought to the disk at once; what is smaller waits for the end. */
const FLUSHED_BYTES = 2 ** 26;

class FolderEntryWriter implements EntryWriter {
  readonly #partial: string;
  readonly #place: string;
  readonly #files = new Map<string, FileHandle>();
  readonly #flushed: Promise<void>[] = [];
  #flushing = false;
  /** Bytes written since a flush began. */
  #unflushed = 0;

  constructor(partial: string, place: string) {
    this.#partial = partial;
    this.#place = place;
  }

  append(file: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    return asCacheRefusal(async () => {
      let handle = this.#files.get(file);
      if (!handle) {
        this.#files.set(file, (handle = await open(join(this.#partial, file), 'w')));
      }
      await handle.writeFile(bytes);
      this.#unflushed += bytes.length;
      if (this.#unflushed >= FLUSHED_BYTES && !this.#flushing) {
        this.#flush(handle);
      }
    });
  }

  complete(): Promise<void> {
    return asCacheRefusal(async () => {
      await Promise.all(this.#flushed);
      for (const file of this.#files.values()) {
        await file.sync();
      }
      await this.#close();
      await syncFolder(this.#partial);
      await removeEntry(this.#place);
      await move(this.#partial, this.#place);
    });
  }

  abandon(): Promise<void> {
    return asCacheRefusal(async () => {
      await this.#close();
      await remove(this.#partial);
    });
  }

  /** Brings what is written to the disk while more is being made: the system would begin at the end. */
  #flush(file: FileHandle): void {
    this.#flushing = true;
    this.#unflushed = 0;
    const flushed = file.datasync().finally(() => (this.#flushing = false));
    // Its failure, which the system tells once, is reported by `complete`.
    flushed.catch(() => undefined);
    this.#flushed.push(flushed);
  }

  async #close(): Promise<void> {
    for (const file of this.#files.values()) {
      await file.close();
    }
    this.#files.clear();
  }
}

/** Removed by renaming it first, so that half an entry never counts. */
async function removeEntry(place: string): Promise<void> {
  const doomed = `${partialName(place)}-removed`;
  await move(place, doomed).catch((error: unknown) => {
    if (errorCode(error) !== 'ENOENT') {
      throw error;
    }
  });
  await remove(doomed);
}

async function asCacheRefusal<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = errorCode(error);
    if (code === undefined) {
      throw error;
    }
    const { path = 'its folder' } = error as NodeJS.ErrnoException;
    const full = code === 'ENOSPC' || code === 'EDQUOT';
    throw new CacheRefusal(full ? 'its disk is full' : `${path} refuses it (${code})`);
  }
}
