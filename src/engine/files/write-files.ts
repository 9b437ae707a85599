import { Zip, ZipPassThrough } from 'fflate';
import type { OutputFile } from '../../export/output-file.ts';
import type { Watch } from '../watch.ts';

/** What a zip can say of when a file was changed, in milliseconds since 1970; a day less, for any time zone. */
const [FIRST_DATE, LAST_DATE] = [Date.UTC(1980, 0, 2), Date.UTC(2099, 11, 30)];

/** The files as a zip; stored, since weights do not get smaller. It is put together piece by piece, never whole. */
export async function zipFiles(files: readonly OutputFile[], modified: Date, watch: Watch): Promise<Blob> {
  const pieces: Blob[] = [];
  let problem: Error | undefined;
  const zip = new Zip((error, bytes) => {
    problem ??= error ?? undefined;
    pieces.push(pieceOf(bytes as Uint8Array<ArrayBuffer>));
  });
  for (const file of files) {
    const entry = new ZipPassThrough(file.path);
    entry.mtime = Math.min(LAST_DATE, Math.max(FIRST_DATE, modified.getTime()));
    zip.add(entry);
    for await (const chunk of watchedChunks(file, watch)) {
      entry.push(chunk);
    }
    entry.push(new Uint8Array(), true);
  }
  zip.end();
  if (problem) {
    throw problem;
  }
  return new Blob(pieces, { type: 'application/zip' });
}

/** A file's content, put together piece by piece. */
export async function blobOf(file: OutputFile, watch: Watch): Promise<Blob> {
  const pieces: Blob[] = [];
  for await (const chunk of watchedChunks(file, watch)) {
    pieces.push(pieceOf(chunk));
  }
  return new Blob(pieces, { type: 'application/octet-stream' });
}

/** A blob each: the browser may keep them outside this thread's memory. */
const pieceOf = (bytes: Uint8Array<ArrayBuffer>): Blob => new Blob([bytes]);

/** Writes one file, whole or not at all: the browser puts it in place when it is closed. */
export async function writeFile(
  folder: FileSystemDirectoryHandle,
  output: OutputFile,
  watch: Watch,
): Promise<void> {
  const parts = output.path.split('/');
  const name = parts.pop()!;
  let place = folder;
  for (const part of parts) {
    place = await place.getDirectoryHandle(part, { create: true });
  }
  const existed = await place.getFileHandle(name).then(
    () => true,
    () => false,
  );
  const file = await place.getFileHandle(name, { create: true });
  try {
    const writable = await file.createWritable();
    try {
      for await (const chunk of watchedChunks(output, watch)) {
        await writable.write(chunk);
      }
    } catch (error) {
      await writable.abort().catch(() => undefined);
      throw error;
    }
    await writable.close();
  } catch (error) {
    // Creating the handle has already created an empty file.
    if (!existed) {
      await place.removeEntry(name).catch(() => undefined);
    }
    throw error;
  }
}

async function* watchedChunks(
  file: OutputFile,
  { signal, onBytes }: Watch,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for await (const chunk of file.chunks()) {
    signal?.throwIfAborted();
    yield chunk;
    onBytes?.(chunk.length);
  }
  signal?.throwIfAborted();
}
