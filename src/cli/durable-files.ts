import { createHash } from 'node:crypto';
import type { Stats, StatsFs } from 'node:fs';
import { access, constants, mkdir, open, readdir, rename, rm, stat, statfs } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { UserError } from '../formats/user-error.ts';
import { showBytes } from '../formats/words.ts';
import { isRunning } from './processes.ts';
import { errorCode, kindOf, linkTarget, notWritten, statsOf } from './stats.ts';

/** Writes the chunks into a new file and waits until they are on disk. */
export type WriteFile = (path: string, chunks: readonly Uint8Array[]) => Promise<void>;

export const writeDurably: WriteFile = async (path, chunks) => {
  // Whatever has this name is removed first, so that a link is not written through.
  await rm(path, { force: true });
  const file = await open(path, 'wx');
  try {
    for (const chunk of chunks) {
      await file.writeFile(chunk);
    }
    await file.sync();
  } finally {
    await file.close();
  }
};

/** Error codes of file systems, such as network ones, that make a folder's entries durable without this call. */
const NOTHING_TO_SYNC = new Set(['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EISDIR', 'EACCES', 'EPERM']);

/** Waits until a folder's entries are on disk. Windows has no such call, and needs none. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') {
    return;
  }
  try {
    const folder = await open(path, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch (error) {
    if (!NOTHING_TO_SYNC.has(errorCode(error) ?? '')) {
      throw error;
    }
  }
}

/** Maximum bytes of a name on usual disks, and the bytes added to a name while it is written. */
const [MAX_NAME, ADDED] = [255, 40];

/** A name while it is written; a long one is truncated and distinguished by its hash. */
function partialStem(name: string): string {
  const bytes = Buffer.from(name);
  if (bytes.length <= MAX_NAME - ADDED) {
    return `.${name}.`;
  }
  const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 16);
  // Truncation may split a character.
  const begin = bytes.toString('utf8', 0, MAX_NAME - ADDED - hash.length).replace(/\ufffd+$/, '');
  return `.${begin}.${hash}.`;
}

/** A hidden name beside `path`, ending in `suffix`. */
export const hiddenName = (path: string, suffix: string): string =>
  join(dirname(path), partialStem(basename(path)) + suffix);

/** Where this process writes a file or folder before renaming it to `path`; distinct for each process. */
export const partialName = (path: string): string => hiddenName(path, `${process.pid}.partial`);

/** Removes what processes that are gone have left incomplete of a file or folder. */
export async function removeLeftovers(path: string): Promise<void> {
  const [folder, stem] = [dirname(path), partialStem(basename(path))];
  for (const found of await readdir(folder)) {
    const rest = found.startsWith(stem) ? found.slice(stem.length) : '';
    const [, pid] = /^(\d+)\.partial$/.exec(rest) ?? [];
    if (pid !== undefined && !isRunning(Number(pid))) {
      await remove(join(folder, found));
    }
  }
}

/**
 * Creates a folder and its parents, durably; returns those that did not exist, the innermost first. Node's own
 * recursive mkdir reports ENOENT if the disk is full.
 */
export async function makeFolder(path: string): Promise<string[]> {
  try {
    return await makeOne(path);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT' || dirname(path) === path) {
      throw error;
    }
    const outer = await makeFolder(dirname(path));
    return [...(await makeOne(path)), ...outer];
  }
}

/** Creates a folder in an existing one, unless it exists by then. */
async function makeOne(path: string): Promise<string[]> {
  try {
    await mkdir(path);
  } catch (error) {
    if ((await stat(path).catch(() => undefined))?.isDirectory()) {
      return [];
    }
    throw error;
  }
  await syncFolder(dirname(path));
  return [path];
}

/** Windows' error codes while a virus scanner or indexer reads what was just written. */
const LOOKED_AT = new Set(['EPERM', 'EACCES', 'EBUSY']);
const PATIENCE_MS = 2000;

/** Renames, replacing an existing file. */
export async function move(from: string, to: string): Promise<void> {
  for (let wait = 10; ; wait *= 2) {
    try {
      return await rename(from, to);
    } catch (error) {
      if (process.platform !== 'win32' || !LOOKED_AT.has(errorCode(error) ?? '') || wait > PATIENCE_MS) {
        throw error;
      }
      await new Promise((done) => setTimeout(done, wait));
    }
  }
}

/** Removes a file or a whole folder, if it exists. */
export const remove = (path: string): Promise<void> =>
  rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });

/** Options of `replaceFiles`. */
interface Replacing {
  write?: WriteFile;
  /** The option that named the place, for messages. */
  option?: string;
}

/**
 * Puts files in place, in order: all are first written beside their places, so that a disk that fills up meanwhile
 * leaves the old files unchanged. Of several files, the old ones are removed before the first new one appears, so
 * that nobody finds a mixture. Throws UserError.
 */
export async function replaceFiles(
  files: readonly (readonly [path: string, chunks: readonly Uint8Array[]])[],
  { write = writeDurably, option = '--output' }: Replacing = {},
): Promise<void> {
  const folders = new Set(files.map(([path]) => dirname(path)));
  const bytes = files.reduce((sum, [, chunks]) => sum + sizeOf(chunks), 0);
  const [first] = files;
  if (!first) {
    return;
  }
  const sync = async () => {
    for (const folder of folders) {
      await syncFolder(folder);
    }
  };
  const work = async () => {
    for (const folder of folders) {
      await makeFolder(folder);
    }
    for (const [path] of files) {
      await removeLeftovers(path);
    }
    try {
      for (const [path, chunks] of files) {
        await write(partialName(path), chunks);
      }
      if (files.length > 1) {
        for (const [path] of files.toReversed()) {
          await rm(path, { force: true });
        }
      }
      for (const [i, [path]] of files.entries()) {
        // The last file vouches for all: it must not reach the disk before them.
        if (i > 0 && i === files.length - 1) {
          await sync();
        }
        await move(partialName(path), path);
      }
    } catch (error) {
      for (const [path] of files) {
        await rm(partialName(path), { force: true }).catch(() => undefined);
      }
      throw error;
    }
    await sync();
  };
  await onDisk(first[0], bytes, work, option);
}

export const sizeOf = (chunks: readonly Uint8Array[]): number =>
  chunks.reduce((sum, chunk) => sum + chunk.length, 0);

/** Runs `work`, which writes `bytes` at `path`. Throws UserError for what the system refuses. */
export async function onDisk<T>(
  path: string,
  bytes: number,
  work: () => Promise<T>,
  option = '--output',
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = errorCode(error);
    if (code === undefined) {
      throw error;
    }
    const disk = await statfs(await nearestFolder(path)).catch(() => undefined);
    // Some file systems report ENOENT when the disk is full.
    const full = code === 'ENOENT' && disk !== undefined && hasNoRoom(disk);
    if (full || code === 'ENOSPC' || code === 'EDQUOT') {
      throw new UserError(
        `${path}: the disk is full: ${showBytes(bytes)} were to be written and ${disk ? roomOf(disk) : 'less is free'}; make room there or choose another ${option}, then start again.`,
      );
    }
    throw notWritten(path, code, option);
  }
}

/** A file system also limits the number of files, unless it has no limit. */
const noFiles = ({ files, ffree }: StatsFs): boolean => files > 0 && ffree === 0;

/** What is not a disk, such as /proc, has no blocks at all. */
const hasNoRoom = (disk: StatsFs): boolean => (disk.blocks > 0 && disk.bavail === 0) || noFiles(disk);

const roomOf = (disk: StatsFs): string =>
  noFiles(disk) ? 'it takes no more files' : `${showBytes(disk.bavail * disk.bsize)} are free`;

/** The path itself, or the closest parent that exists. */
export async function nearestFolder(path: string): Promise<string> {
  for (let at = path; ; at = dirname(at)) {
    if ((await stat(at).catch(() => undefined)) || dirname(at) === at) {
      return at;
    }
  }
}

/**
 * Throws UserError if no folder can be created, or nothing written, at `path`: better before hours of work than
 * after.
 */
export async function checkWritable(path: string, option = '--output'): Promise<void> {
  const whole = resolve(path);
  let nearest = whole;
  let info: Stats | undefined;
  for (; !(info = await statsOf(nearest)); nearest = dirname(nearest)) {
    const target = await linkTarget(nearest);
    const way = nearest === whole ? 'this' : `on the way, ${nearest}`;
    if (target !== undefined) {
      throw new UserError(
        `${path}: ${way} is a link to ${target}, which is not there; make that folder, or choose another ${option}.`,
      );
    }
  }
  if (!info.isDirectory()) {
    throw new UserError(
      `${path}: expected a folder for the output, found ${kindOf(info)}${nearest === whole ? '' : ` on the way, ${nearest}`}; choose another ${option}.`,
    );
  }
  const refused = await access(nearest, constants.W_OK | constants.X_OK).catch(errorCode);
  if (refused !== undefined) {
    throw new UserError(
      `${path}: nothing can be written into ${nearest} (${refused}); check its permissions or choose another ${option}.`,
    );
  }
}
