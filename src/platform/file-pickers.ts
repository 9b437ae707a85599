import type { ChosenFile, ChosenFolder } from './chosen-files.ts';
import { placeOfEntry, placeOfPaths } from './places.ts';
import { folderAt, readFolder } from './read-folder.ts';

/** Chrome's pickers and handles, which TypeScript's DOM library lacks. */
interface PickerWindow {
  showDirectoryPicker?(options: {
    id: string;
    mode: 'read' | 'readwrite';
  }): Promise<FileSystemDirectoryHandle>;
  showOpenFilePicker?(options: { id: string }): Promise<FileSystemFileHandle[]>;
}
type DroppedItem = DataTransferItem & { getAsFileSystemHandle?(): Promise<FileSystemHandle | null> };

const pickers = (): PickerWindow => globalThis as unknown as PickerWindow;

export const hasPickers = (): boolean => pickers().showDirectoryPicker !== undefined;

/** A folder from the browser's picker; undefined if the user canceled. */
export async function pickFolder(id: string): Promise<ChosenFolder | undefined> {
  const handle = await unlessCanceled(pickers().showDirectoryPicker!({ id, mode: 'read' }));
  return handle && readFolder(handle);
}

/** A folder that may be written to. */
export const pickOutputFolder = (): Promise<FileSystemDirectoryHandle | undefined> =>
  unlessCanceled(pickers().showDirectoryPicker!({ id: 'output', mode: 'readwrite' }));

export async function pickFile(id: string): Promise<ChosenFile | undefined> {
  const [handle] = (await unlessCanceled(pickers().showOpenFilePicker!({ id }))) ?? [];
  return handle && { file: await handle.getFile(), handle };
}

/** A folder from an <input webkitdirectory>, which lists everything below it. */
export async function folderFromInput(list: FileList): Promise<ChosenFolder> {
  const files = [...list].map((file) => [file.webkitRelativePath.replace(/^[^/]*\//, ''), file] as const);
  const name = list[0]?.webkitRelativePath.split('/')[0] || 'the chosen folder';
  return folderAt(placeOfPaths(files), name);
}

export type Dropped = { folder: ChosenFolder } | { files: ChosenFile[] } | undefined;

/** What was dropped: the first folder, otherwise the files. */
export async function readDrop(transfer: DataTransfer): Promise<Dropped> {
  const items = [...transfer.items].filter((item) => item.kind === 'file') as DroppedItem[];
  // Everything must be read before the first await: the items are gone after the event.
  const handles = items.map((item) => item.getAsFileSystemHandle?.());
  const entries = items.map((item) => item.webkitGetAsEntry());
  const plain = [...transfer.files];
  const known = (await Promise.all(handles)).filter((handle) => handle !== null && handle !== undefined);
  const folder = known.find((handle) => handle.kind === 'directory');
  if (folder) {
    return { folder: await readFolder(folder as FileSystemDirectoryHandle) };
  }
  const directory = entries.find((entry) => entry?.isDirectory);
  if (directory) {
    return { folder: await folderAt(placeOfEntry(directory as FileSystemDirectoryEntry), directory.name) };
  }
  if (plain.length === 0) {
    return undefined;
  }
  return { files: plain.map((file, i) => ({ file, handle: known[i] as FileSystemFileHandle | undefined })) };
}

async function unlessCanceled<T>(picked: Promise<T>): Promise<T | undefined> {
  try {
    return await picked;
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') {
      return undefined;
    }
    throw error;
  }
}
