import { access, constants, mkdir, open, rename, rm, stat, statfs } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { UserError } from '../formats/user-error.ts';
import { showBytes } from '../formats/words.ts';
import { errorCode, kindOf } from './stats.ts';

/** Writes the chunks into a new file and waits until they are on disk. */
export type WriteFile = (path: string, chunks: readonly Uint8Array[]) => Promise<void>;

export const writeDurably: WriteFile = async (path, chunks) => {
  const file = await open(path, 'w');
  try {
    for (const chunk of chunks) await file.writeFile(chunk);
    await file.sync();
  } finally {
    await file.close();
  }
};

/** Waits until a folder's entries are on disk. Windows has no such call, and needs none. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Where a file or folder is written before it is renamed to `path`. */
export const partialName = (path: string): string => join(dirname(path), `.${basename(path)}.partial`);

/**
 * Puts files in place, in their order: all are first written beside their places, so that a disk that fills up on
 * the way leaves what was there as it was. Throws UserError.
 */
export async function replaceFiles(
  files: readonly (readonly [path: string, chunks: readonly Uint8Array[]])[],
  write: WriteFile = writeDurably,
): Promise<void> {
  const folders = new Set(files.map(([path]) => dirname(path)));
  const bytes = files.reduce((sum, [, chunks]) => sum + sizeOf(chunks), 0);
  const [first] = files;
  if (!first) return;
  await onDisk(first[0], bytes, async () => {
    for (const folder of folders) await mkdir(folder, { recursive: true });
    try {
      for (const [path, chunks] of files) await write(partialName(path), chunks);
    } catch (error) {
      for (const [path] of files) await rm(partialName(path), { force: true });
      throw error;
    }
    const sync = async () => {
      for (const folder of folders) await syncFolder(folder);
    };
    for (const [i, [path]] of files.entries()) {
      // The last file stands for all: it may not reach the disk before them.
      if (i > 0 && i === files.length - 1) await sync();
      await rename(partialName(path), path);
    }
    await sync();
  });
}

export const sizeOf = (chunks: readonly Uint8Array[]): number =>
  chunks.reduce((sum, chunk) => sum + chunk.length, 0);

/** Runs `work`, which writes `bytes` at `path`; what the system refuses becomes a UserError. */
export async function onDisk<T>(path: string, bytes: number, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = errorCode(error);
    if (code === undefined) throw error;
    if (code === 'ENOSPC' || code === 'EDQUOT') {
      const free = await freeBytes(path);
      const found = free === undefined ? 'less is free' : `${showBytes(free)} are free`;
      throw new UserError(
        `${path}: the disk is full: ${showBytes(bytes)} were to be written and ${found}; make room there or choose another --output, then start again.`,
      );
    }
    throw new UserError(
      `${path}: cannot be written (${code}); check that you may write there, or choose another --output.`,
    );
  }
}

async function freeBytes(path: string): Promise<number | undefined> {
  const folder = await nearestFolder(path);
  const info = await statfs(folder).catch(() => undefined);
  return info && info.bavail * info.bsize;
}

/** The path itself or the first of its parents that exists. */
export async function nearestFolder(path: string): Promise<string> {
  for (let at = path; ; at = dirname(at)) {
    if ((await stat(at).catch(() => undefined)) || dirname(at) === at) return at;
  }
}

/** Throws UserError where no folder can be made, or nothing written, at `path`: better before hours of work than after. */
export async function checkWritable(path: string, option = '--output'): Promise<void> {
  const nearest = await nearestFolder(resolve(path));
  const info = await stat(nearest);
  if (!info.isDirectory())
    throw new UserError(
      `${path}: expected a folder for the output, found ${kindOf(info)}${nearest === resolve(path) ? '' : ` on the way, ${nearest}`}; choose another ${option}.`,
    );
  const refused = await access(nearest, constants.W_OK | constants.X_OK).catch(errorCode);
  if (refused !== undefined)
    throw new UserError(
      `${path}: nothing can be written into ${nearest} (${refused}); check its permissions or choose another ${option}.`,
    );
}
