import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ByteSource, Folder } from '../formats/byte-source.ts';
import { UserError } from '../formats/user-error.ts';

/** A file on disk, read by position. It is opened anew for each read: nothing stays open that somebody must close. */
export async function nodeSource(path: string): Promise<ByteSource> {
  const info = await stat(path).catch(() => undefined);
  if (!info) throw new UserError(`${path}: no such file; check the path.`);
  if (!info.isFile())
    throw new UserError(`${path}: expected a file, found a directory; name the file itself.`);
  return {
    name: path,
    size: info.size,
    // A copy may keep the old time of change, but not the time at which it was put there.
    modified: Math.max(info.mtimeMs, info.ctimeMs),
    async read(begin, into) {
      const file = await open(path, 'r').catch((error: Error) => {
        throw new UserError(`${path}: cannot be opened (${error.message}); check that you may read it.`);
      });
      try {
        for (let done = 0; done < into.length;) {
          const { bytesRead } = await file.read(into, done, into.length - done, begin + done);
          if (bytesRead === 0)
            throw new UserError(
              `${path}: ended at byte ${begin + done}, while bytes up to ${begin + into.length} were expected; was it changed while being read?`,
            );
          done += bytesRead;
        }
      } finally {
        await file.close();
      }
    },
  };
}

/** A directory on disk. */
export async function nodeFolder(path: string): Promise<Folder> {
  const info = await stat(path).catch(() => undefined);
  if (!info) throw new UserError(`${path}: no such folder; check the path.`);
  if (!info.isDirectory())
    throw new UserError(`${path}: expected a folder, found a file; name the folder that holds it.`);
  return {
    name: path,
    list: async () =>
      (await readdir(path, { withFileTypes: true }))
        .filter((e) => !e.isDirectory())
        .map((e) => e.name)
        .sort(),
    async open(file) {
      const full = join(path, file);
      return (await stat(full).catch(() => undefined))?.isFile() ? nodeSource(full) : undefined;
    },
  };
}
