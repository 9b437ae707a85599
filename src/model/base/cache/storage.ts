import type { Folder } from '../../../formats/byte-source.ts';

/**
 * Where quantized bases are kept: a folder on disk, or the browser's own file system. What the place refuses (no room,
 * no permission) is a CacheRefusal.
 */
export interface CacheStorage {
  /** The entries that were written to their end. */
  entries(): Promise<string[]>;
  open(entry: string): Promise<Folder>;
  /** Begins an entry of about so many bytes, in the place of one of the same name. */
  begin(entry: string, bytes: number): Promise<EntryWriter>;
  /** Replaces a small file of an entry, whole or not at all. */
  replace(entry: string, file: string, content: Uint8Array<ArrayBuffer>): Promise<void>;
  remove(entry: string): Promise<void>;
}

/** An entry that is being written: it does not count before it is complete, whatever happens on the way. */
export interface EntryWriter {
  append(file: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  complete(): Promise<void>;
  abandon(): Promise<void>;
}

/** The place of the cache refused something; the message says why, as the end of a sentence. */
export class CacheRefusal extends Error {}
