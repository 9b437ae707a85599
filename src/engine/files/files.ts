import { blobSource } from '../../formats/blob-source.ts';
import type { Folder } from '../../formats/byte-source.ts';
import { UserError } from '../../formats/user-error.ts';
import { foldersWith, readFolder as read } from '../../platform/read-folder.ts';
import type { RunInputs } from '../../run/input/run-inputs.ts';
import type { InputHandles } from '../../storage/run-records.ts';
import type { RowsSource } from '../../text/columns.ts';
import type { ChosenFile, ChosenFolder, ChosenInputs } from '../protocol/protocol.ts';

const REMEDY = 'it was changed or moved since it was chosen, so choose it again';

/** A folder that is not backed by File objects, in place of a chosen one; it never leaves the worker. */
export interface OpenedFolder extends ChosenFolder {
  opened?: Folder | undefined;
}

/** A chosen folder's own files; of what lies deeper only what belongs to a model can be opened. */
export function folderOf({ name, files, nested = [], below = [], opened }: OpenedFolder): Folder {
  if (opened) {
    return opened;
  }
  const own = new Map(files.filter(isOwn).map((file) => [file.name, file]));
  const inner = new Map(nested.map(({ path, file }) => [path, file]));
  return {
    name,
    list: () => Promise.resolve([...own.keys()].toSorted()),
    open: (file) => {
      const found = own.get(file) ?? inner.get(file);
      return Promise.resolve(found && blobSource(`${name}/${file}`, found, REMEDY));
    },
    near: (file) => Promise.resolve({ below: foldersWith({ below }, file), hidesLinks: true }),
  };
}

/** A folder's files have a relative path of two parts where they come from a file input, and none where from a handle. */
const isOwn = ({ webkitRelativePath: path }: File): boolean => !path || path.split('/').length <= 2;

export function sourceOf({ file, columns, changes }: ChosenFile): RowsSource {
  return { ...blobSource(file.name, file, REMEDY), columns, changes };
}

export function runInputs({ base, source, train, validation, recipe }: ChosenInputs): RunInputs {
  return {
    base: folderOf(base),
    source: source && folderOf(source),
    train: sourceOf(train),
    validation: validation && sourceOf(validation),
    recipe,
  };
}

export function handlesOf({ base, source, train, validation }: ChosenInputs): InputHandles {
  return {
    base: base.handle,
    source: source?.handle,
    train: train.handle,
    validation: validation?.handle,
  };
}

/** The files behind a folder's handle. Throws UserError where the browser wants to be asked first. */
export async function readChosenFolder(handle: FileSystemDirectoryHandle): Promise<ChosenFolder> {
  return permitted(handle, () => read(handle));
}

/** The file behind a handle. Throws UserError where the browser wants to be asked first. */
export async function readFile(handle: FileSystemFileHandle): Promise<ChosenFile> {
  return permitted(handle, async () => ({ file: await handle.getFile(), handle }));
}

async function permitted<T>({ name }: FileSystemHandle, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const kind = error instanceof DOMException ? error.name : undefined;
    if (kind === 'NotAllowedError') {
      throw new UserError(
        `${name}: the browser asks again whether Retune may read it; allow it, then continue.`,
      );
    }
    if (kind === 'NotFoundError') {
      throw new UserError(`${name}: it is not where it was; bring it back, or choose it again.`);
    }
    throw error;
  }
}
