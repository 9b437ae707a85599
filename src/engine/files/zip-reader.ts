import { createCRC32 } from 'hash-wasm';
import type { ByteSource } from '../../formats/byte-source.ts';
import { UserError } from '../../formats/user-error.ts';
import { blobSource } from '../../platform/blob-source.ts';
import { chunksOf, type Watch } from '../watch.ts';
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
} from './zip-directory.ts';

const LOCAL = 0x04034b50;
/** Bytes that are unpacked at once. */
const MORSEL = 16 * 1024;
/** Bytes of unpacked content that become a blob of their own, which the browser may keep on disk. */
const PIECE = 4 * 2 ** 20;
const REMEDY = 'choose a zip that Retune has exported, or export it again';

/** A file of a zip. */
export interface ZipEntry {
  path: string;
  /** Bytes of its content. */
  size: number;
  /** Its content, after comparing it with its CRC-32; throws UserError where it is not what the zip says. */
  open(watch?: Watch): Promise<Blob>;
}

/**
 * The files of a zip, by its directory: nothing of them is read, and what is stored (as Retune does it) stays where
 * it is. Folders are passed over. Throws UserError for anything that is not a plain zip below 4 GiB and within
 * `limits`.
 */
export async function readZip(file: File, limits: ZipLimits): Promise<ZipEntry[]> {
  const broken: Broken = (what) => new UserError(`${file.name}: ${what}; ${REMEDY}.`);
  const listed = await readDirectory(file, limits, broken);
  return listed.map((entry) => ({
    path: entry.path,
    size: entry.size,
    open: (watch) => open(file, entry, broken, watch),
  }));
}

async function open(file: File, entry: ListedFile, broken: Broken, watch: Watch = {}): Promise<Blob> {
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
  watch: Watch,
  damaged: () => UserError,
): AsyncGenerator<Uint8Array> {
  if (method === STORED) {
    return yield* chunksOf(packed, watch);
  }
  const { signal, onBytes } = watch;
  const chunks = morsels(packed, { signal });
  const source = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull: async (controller) => {
      const { done, value } = await chunks.next();
      if (done) {
        controller.close();
      } else {
        controller.enqueue(value);
      }
    },
  });
  const reader = source.pipeThrough(new DecompressionStream('deflate-raw')).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        // An error that is neither the file's nor the abort reason is the stream's complaint about its input.
        throw error instanceof UserError || signal?.aborted ? error : damaged();
      });
      if (done) {
        return;
      }
      signal?.throwIfAborted();
      onBytes?.(value.length);
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** In chunks so small that their unpacked content is small too: the browser unpacks a chunk as a whole. */
async function* morsels(packed: ByteSource, watch: Watch): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for await (const chunk of chunksOf(packed, watch)) {
    for (let begin = 0; begin < chunk.length; begin += MORSEL) {
      yield chunk.slice(begin, begin + MORSEL);
    }
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
