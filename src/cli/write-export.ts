import { open, readdir, rmdir, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { OutputFile } from '../export/output-file.ts';
import { UserError } from '../formats/user-error.ts';
import { showBytes } from '../formats/words.ts';
import {
  makeFolder,
  move,
  nearestFolder,
  onDisk,
  partialName,
  remove,
  removeLeftovers,
  syncFolder,
} from './durable-files.ts';
import { errorCode, statsOf } from './stats.ts';

interface Writing {
  signal: AbortSignal;
  onProgress: (done: number, total: number) => void;
}

/** Throws UserError if the disk has less room than the export takes: better before the work than in it. */
export async function checkRoom(path: string, bytes: number): Promise<void> {
  const disk = await statfs(await nearestFolder(path)).catch(() => undefined);
  const free = disk && disk.blocks > 0 ? disk.bavail * disk.bsize : Infinity;
  if (bytes > free) {
    throw new UserError(
      `${path}: ${showBytes(bytes)} are to be written and ${showBytes(free)} are free; make room there or choose another --output.`,
    );
  }
}

/** Throws UserError if there is a folder with something in it. */
export async function checkVacant(path: string): Promise<void> {
  const names = (await statsOf(path))?.isDirectory() ? await readdir(path) : [];
  if (names.length > 0) {
    throw new UserError(
      `${path}: this folder holds something already, expected a new or an empty one; remove what is there, or choose another --output.`,
    );
  }
}

/** A folder with these files, or none: it is written beside its place under another name. Throws UserError. */
export async function writeExportFolder(
  path: string,
  files: readonly OutputFile[],
  writing: Writing,
): Promise<void> {
  const partial = partialName(path);
  await written(path, partial, files, writing, async (write) => {
    await makeFolder(partial);
    for (const file of files) {
      const place = join(partial, ...file.path.split('/'));
      await makeFolder(dirname(place));
      await write(file, place);
    }
    await syncFolder(partial);
    await rmdir(path).catch((error: unknown) => {
      if (errorCode(error) !== 'ENOENT') {
        throw error;
      }
    });
    await move(partial, path);
  });
}

/** A file, or what was there before. Throws UserError. */
export async function writeExportFile(path: string, file: OutputFile, writing: Writing): Promise<void> {
  const partial = partialName(path);
  await written(path, partial, [file], writing, async (write) => {
    await write(file, partial);
    await move(partial, path);
  });
}

type Write = (file: OutputFile, place: string) => Promise<void>;

async function written(
  path: string,
  partial: string,
  files: readonly OutputFile[],
  { signal, onProgress }: Writing,
  work: (write: Write) => Promise<void>,
): Promise<void> {
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  let done = 0;
  const write: Write = async (file, place) => {
    const out = await open(place, 'wx');
    try {
      for await (const chunk of file.chunks()) {
        signal.throwIfAborted();
        await out.writeFile(chunk);
        onProgress((done += chunk.length), total);
      }
      await out.sync();
    } finally {
      await out.close();
    }
  };
  await onDisk(path, total, async () => {
    await makeFolder(dirname(path));
    await removeLeftovers(path);
    await remove(partial);
    try {
      await work(write);
    } catch (error) {
      await remove(partial).catch(() => undefined);
      throw error;
    }
    await syncFolder(dirname(path));
  });
}
