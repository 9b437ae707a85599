import { createCRC32 } from 'hash-wasm';
import { blobSource } from '../blob-source.ts';
import type { ByteSource } from '../byte-source.ts';
import { chunksOfFile } from '../chunks.ts';
import { inflate } from '../inflate.ts';
import { UserError } from '../user-error.ts';
import {
  AGAIN,
  type Broken,
  DEFLATED,
  type ListedFile,
  LOCAL_BYTES,
  readDirectory,
  readView,
  STORED,
  type ZipLimits,
} from './directory.ts';

const LOCAL = 0x04034b50;
/** Bytes of unpacked content that become a blob of their own, which the browser may keep on disk. */
const PIECE = 4 * 2 ** 20;

/** The observer of a long read: `signal` ends it, `onBytes` gets the bytes read since the last call. */
interface ZipWatch {
  signal?: AbortSignal | undefined;
  onBytes?: ((bytes: number) => void) | undefined;
}

/** A file of a zip. */
export interface ZipEntry {
  path: string;
  /** Bytes of its content. */
  size: number;
  /** Its content, after comparing it with its CRC-32; throws UserError where it is not what the zip says. */
  open(watch?: ZipWatch): Promise<Blob>;
}

/**
 * The files of a zip, by its directory: nothing of them is read, and what is stored (as Retune does it) stays where
 * it is. Folders are passed over. Throws UserError for anything that is not a plain zip below 4 GiB and within
 * `limits`; `remedy` is of its message.
 */
export async function readZip(file: File, limits: ZipLimits, remedy: string): Promise<ZipEntry[]> {
  const broken: Broken = (what) => new UserError(`${file.name}: ${what}; ${remedy}.`);
  const listed = await readDirectory(file, limits, broken);
  return listed.map((entry) => ({
    path: entry.path,
    size: entry.size,
    open: (watch) => open(file, entry, broken, watch),
  }));
}

async function open(file: File, entry: ListedFile, broken: Broken, watch: ZipWatch = {}): Promise<Blob> {
  const { path, method, packed, size, crc } = entry;
  const damaged = (): UserError => broken(`${path} in it is damaged`);
  const from = await beginOf(file, entry, damaged);
  if (from + packed > entry.end) {
    throw broken(`${path} in it is cut off, or overlaps with another file`);
  }
  const content = file.slice(from, from + packed);
  const sum = await createCRC32();
  const pieces = new Pieces();
  let bytes = 0;
  for await (const chunk of unpacked(blobSource(file.name, content, AGAIN), method, watch, damaged)) {
    bytes += chunk.length;
    if (bytes > size) {
      throw damaged();
    }
    sum.update(chunk);
    if (method === DEFLATED) {
      pieces.add(chunk);
    }
  }
  watch.signal?.throwIfAborted();
  if (bytes !== size || parseInt(sum.digest('hex'), 16) !== crc) {
    throw damaged();
  }
  return method === STORED ? content : pieces.whole();
}

/** Where a file's content begins: behind its local header, which must agree with the directory. */
async function beginOf(
  file: File,
  { local, name, method }: ListedFile,
  damaged: () => UserError,
): Promise<number> {
  const header = await readView(file, local, local + LOCAL_BYTES + name.length);
  const agrees =
    header.getUint32(0, true) === LOCAL &&
    header.getUint16(8, true) === method &&
    header.getUint16(26, true) === name.length &&
    name.every((byte, i) => header.getUint8(LOCAL_BYTES + i) === byte);
  if (!agrees) {
    throw damaged();
  }
  return local + LOCAL_BYTES + name.length + header.getUint16(28, true);
}

async function* unpacked(
  packed: ByteSource,
  method: number,
  { signal, onBytes }: ZipWatch,
  damaged: () => UserError,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  async function* content() {
    for await (const { bytes } of chunksOfFile(packed)) {
      signal?.throwIfAborted();
      yield bytes;
    }
  }
  const chunks = method === STORED ? content() : inflate(content(), 'deflate-raw', damaged);
  for await (const chunk of chunks) {
    signal?.throwIfAborted();
    onBytes?.(chunk.length);
    yield chunk;
  }
}

/** Unpacked content as blobs of some size: the browser may keep them outside this thread's memory. */
class Pieces {
  readonly #done: Blob[] = [];
  #open: Uint8Array<ArrayBuffer>[] = [];
  #bytes = 0;

  add(chunk: Uint8Array): void {
    this.#open.push(chunk as Uint8Array<ArrayBuffer>);
    this.#bytes += chunk.length;
    if (this.#bytes < PIECE) {
      return;
    }
    this.#done.push(new Blob(this.#open));
    this.#open = [];
    this.#bytes = 0;
  }

  whole(): Blob {
    return new Blob([...this.#done, ...this.#open]);
  }
}
