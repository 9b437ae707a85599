import type { Folder } from '../../../formats/byte-source.ts';

/**
 * Storage for quantized bases: a folder on disk, or the browser's origin-private file system. If it refuses (no
 * space, no permission), it throws CacheRefusal.
 */
export interface CacheStorage {
  /** Names of the complete entries. */
  entries(): Promise<string[]>;
  open(entry: string): Promise<Folder>;
  /** Starts writing an entry of about `bytes` bytes, which will replace one of the same name. */
  begin(entry: string, bytes: number): Promise<EntryWriter>;
  /** Replaces a small file of an entry atomically. */
  replace(entry: string, file: string, content: Uint8Array<ArrayBuffer>): Promise<void>;
  remove(entry: string): Promise<void>;
}

/** An entry being written: it does not count until complete, whatever happens before. */
export interface EntryWriter {
  append(file: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  complete(): Promise<void>;
  abandon(): Promise<void>;
}

/** The cache's storage refused an operation; the message says why, as the end of a sentence. */
export class CacheRefusal extends Error {}
