import type { ByteSource, Folder } from '../formats/byte-source.ts';
import type { RunInputs } from '../run/input/run-inputs.ts';

/** Bytes per read. */
const CHUNK = 4 * 2 ** 20;

/** The observer of a long read. */
export interface Watch {
  /** Ends it, with its reason. */
  signal?: AbortSignal | undefined;
  /** Called with the bytes read since the last call. */
  onBytes?: ((bytes: number) => void) | undefined;
}

/** Called with the bytes done and the total. */
export type OnProgress = (done: number, total: number) => void;

/** The same for work whose bytes are known. */
export interface Following {
  signal?: AbortSignal | undefined;
  onProgress?: OnProgress | undefined;
}

/** Watches work of `total` bytes. */
export function watchOf({ signal, onProgress }: Following, total: number): Watch {
  let done = 0;
  return { signal, onBytes: (bytes) => onProgress?.((done = Math.min(total, done + bytes)), total) };
}

/** A source's bytes in chunks. Throws the signal's reason once it is aborted. */
export async function* chunksOf(
  source: ByteSource,
  watch: Watch = {},
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const watched = watchedSource(source, watch);
  for (let begin = 0; begin < source.size; begin += CHUNK) {
    const chunk = new Uint8Array(Math.min(CHUNK, source.size - begin));
    await watched.read(begin, chunk);
    yield chunk;
  }
}

/** The same source, with progress and cancellation. */
export function watchedSource<T extends ByteSource>(source: T, { signal, onBytes }: Watch): T {
  return {
    ...source,
    read: async (begin, into) => {
      signal?.throwIfAborted();
      await source.read(begin, into);
      signal?.throwIfAborted();
      onBytes?.(into.length);
    },
  };
}

/** The same folder, whose files report progress and can be canceled. */
export function watchedFolder(folder: Folder, watch: Watch): Folder {
  return {
    // The cache knows its own folders.
    ...folder,
    name: folder.name,
    known: folder.known,
    list: () => folder.list(),
    open: async (file) => {
      const source = await folder.open(file);
      return source && watchedSource(source, watch);
    },
    ...(folder.near && { near: (file) => folder.near!(file) }),
  };
}

/** The same files of a run, with progress and cancellation. */
export function watchedInputs(
  { base, source, train, validation, ...rest }: RunInputs,
  watch: Watch,
): RunInputs {
  return {
    ...rest,
    base: watchedFolder(base, watch),
    source: source && watchedFolder(source, watch),
    train: watchedSource(train, watch),
    validation: validation && watchedSource(validation, watch),
  };
}

/** Rejects with the signal's reason once it is aborted. */
export function given(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const give = () => reject(signal.reason as Error);
    if (signal.aborted) {
      give();
    } else {
      signal.addEventListener('abort', give, { once: true });
    }
  });
}
