import { constants, openAsBlob } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { blobSource } from '../formats/blob-source.ts';
import type { ByteSource, Folder, NearFolders } from '../formats/byte-source.ts';
import { isZip } from '../formats/foreign-file.ts';
import { refuseGguf } from '../formats/recognize-files.ts';
import { readRowChanges } from '../formats/row-changes.ts';
import { UserError } from '../formats/user-error.ts';
import { adapterInZip } from '../formats/zip/adapter.ts';
import type { Columns, RowsSource } from '../text/columns.ts';
import { kindOf, notOpened, statsOf } from './stats.ts';

/**
 * A file on disk, read by position. Opened for each read, so that nothing stays open that would have to be closed.
 */
export async function nodeSource(path: string): Promise<ByteSource> {
  const info = await statsOf(path);
  if (!info) {
    throw new UserError(`${path}: no such file; check the path.`);
  }
  if (!info.isFile()) {
    throw new UserError(
      `${path}: expected a file, found ${kindOf(info)}; name ${info.isDirectory() ? 'the file itself' : 'a file on a disk'}.`,
    );
  }
  return {
    name: path,
    size: info.size,
    // A copy may preserve the modification time, but not the time at which it was created there.
    modified: Math.max(info.mtimeMs, info.ctimeMs),
    read: (begin, into) =>
      read(path, begin, into).catch((error: unknown) => {
        throw notOpened(path, error);
      }),
  };
}

/** A file of rows, with its columns where the user said which is which, and the changes of a file over it. */
export const rowsSource = async (path: string, columns?: Columns, changes?: string): Promise<RowsSource> => ({
  ...(await nodeSource(path)),
  columns,
  changes: changes === undefined ? undefined : await readRowChanges(await nodeSource(changes)),
});

/** The rows to evaluate on, if there are any. Throws UserError for changes over none. */
export async function validationSource({
  valData,
  columns,
  valRowChanges,
}: {
  valData?: string | undefined;
  columns?: Columns | undefined;
  valRowChanges?: string | undefined;
}): Promise<RowsSource | undefined> {
  if (valData !== undefined) {
    return rowsSource(valData, columns, valRowChanges);
  }
  if (valRowChanges !== undefined) {
    throw new UserError(
      `${valRowChanges}: --val-row-changes are over the rows of --val-data, which is not there; add --val-data, or leave them out.`,
    );
  }
  return undefined;
}

/**
 * Flags for opening files to read: what was a file may be a pipe by now, which would wait for a writer without
 * this.
 */
export const READ = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

async function read(path: string, begin: number, into: Uint8Array): Promise<void> {
  const file = await open(path, READ);
  try {
    for (let done = 0; done < into.length;) {
      const { bytesRead } = await file.read(into, done, into.length - done, begin + done);
      if (bytesRead === 0) {
        throw new UserError(
          `${path}: ended at byte ${begin + done}, while bytes up to ${begin + into.length} were expected; it changed while it was read, so start again.`,
        );
      }
      done += bytesRead;
    }
  } finally {
    await file.close();
  }
}

/** A directory on disk that holds an adapter, or a zip of one. */
export async function adapterFolder(path: string): Promise<Folder> {
  const info = await statsOf(path);
  if (!info?.isFile()) {
    return nodeFolder(path);
  }
  const start = new Uint8Array(Math.min(4, info.size));
  await (await nodeSource(path)).read(0, start);
  return isZip(start) ? zippedFolder(path) : nodeFolder(path);
}

async function zippedFolder(path: string): Promise<Folder> {
  const file = new File([await openAsBlob(path)], path);
  const { folder, files } = await adapterInZip(file);
  const name = folder === '' ? path : `${path}/${folder.slice(0, -1)}`;
  return {
    name,
    list: async () => [...files.keys()].sort(),
    async open(wanted) {
      const content = await files.get(wanted)?.open();
      const remedy = 'it changed while it was read, so start again';
      return content && blobSource(`${name}/${wanted}`, content, remedy);
    },
  };
}

/** A directory on disk. */
export async function nodeFolder(path: string): Promise<Folder> {
  const info = await statsOf(path);
  if (!info) {
    throw new UserError(`${path}: no such folder; check the path.`);
  }
  if (info.isFile()) {
    await refuseGguf(await nodeSource(path));
  }
  if (!info.isDirectory()) {
    throw new UserError(
      `${path}: expected a folder, found ${kindOf(info)}; name ${info.isFile() ? 'the folder that holds it' : 'a folder'}.`,
    );
  }
  return {
    name: path,
    async list() {
      const entries = await readdir(path, { withFileTypes: true }).catch((error: unknown) => {
        throw notOpened(path, error);
      });
      return entries
        .filter((e) => !e.isDirectory())
        .map((e) => e.name)
        .sort();
    },
    async open(file) {
      const full = join(path, file);
      const found = await statsOf(full);
      return found && !found.isDirectory() ? nodeSource(full) : undefined;
    },
    near: (file) => near(path, file),
  };
}

/** Maximum folders searched for a file. */
const MAX_LOOKED = 500;
/** Where Hugging Face's cache keeps a model's folders. */
const SNAPSHOTS = 'snapshots';

async function near(path: string, file: string): Promise<NearFolders> {
  const own = await foldersIn(path);
  const snapshots = own.includes(SNAPSHOTS) ? await foldersIn(join(path, SNAPSHOTS)) : [];
  const places = [...own, ...snapshots.map((name) => join(SNAPSHOTS, name))].slice(0, MAX_LOOKED);
  const held = await Promise.all(places.map((place) => holds(join(path, place), file)));
  const above = dirname(resolve(path));
  return {
    below: places.filter((_, i) => held[i]),
    above: (await holds(above, file)) ? above : undefined,
  };
}

/** The folders in a folder, as far as they can be read. */
async function foldersIn(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
}

const holds = async (folder: string, file: string): Promise<boolean> =>
  (await statsOf(join(folder, file)).catch(() => undefined))?.isFile() ?? false;
