import type { ChosenFile, ChosenFolder } from './chosen-files.ts';

/** Chrome's pickers and handles, which the DOM library of TypeScript does not know. */
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

/** A folder from the browser's picker; undefined where the user thought better of it. */
export async function pickFolder(id: string): Promise<ChosenFolder | undefined> {
  const handle = await unlessCancelled(pickers().showDirectoryPicker!({ id, mode: 'read' }));
  return handle && readFolder(handle);
}

/** A folder that may be written to. */
export const pickOutputFolder = (): Promise<FileSystemDirectoryHandle | undefined> =>
  unlessCancelled(pickers().showDirectoryPicker!({ id: 'output', mode: 'readwrite' }));

export async function pickFile(id: string): Promise<ChosenFile | undefined> {
  const [handle] = (await unlessCancelled(pickers().showOpenFilePicker!({ id }))) ?? [];
  return handle && { file: await handle.getFile(), handle };
}

/** The files that lie directly in a folder: model and adapter folders are flat. */
export async function readFolder(handle: FileSystemDirectoryHandle): Promise<ChosenFolder> {
  const files: File[] = [];
  for await (const entry of handle.values())
    if (entry.kind === 'file') files.push(await (entry as FileSystemFileHandle).getFile());
  return { name: handle.name, files, handle };
}

/** A folder from an <input webkitdirectory>, which lists subfolders too. */
export function folderFromInput(list: FileList): ChosenFolder {
  const files = [...list].filter((file) => file.webkitRelativePath.split('/').length <= 2);
  const name = files[0]?.webkitRelativePath.split('/')[0] || 'the chosen folder';
  return { name, files };
}

export type Dropped = { folder: ChosenFolder } | { files: ChosenFile[] } | undefined;

/** What was dropped: the first folder, else the files. */
export async function readDrop(transfer: DataTransfer): Promise<Dropped> {
  const items = [...transfer.items].filter((item) => item.kind === 'file') as DroppedItem[];
  // Everything must be asked for before the first await: the items are gone after the event.
  const handles = items.map((item) => item.getAsFileSystemHandle?.());
  const entries = items.map((item) => item.webkitGetAsEntry());
  const plain = [...transfer.files];
  const known = (await Promise.all(handles)).filter((handle) => handle !== null && handle !== undefined);
  const folder = known.find((handle) => handle.kind === 'directory');
  if (folder) return { folder: await readFolder(folder as FileSystemDirectoryHandle) };
  const directory = entries.find((entry) => entry?.isDirectory);
  if (directory) return { folder: await readEntry(directory as FileSystemDirectoryEntry) };
  if (plain.length === 0) return undefined;
  return { files: plain.map((file, i) => ({ file, handle: known[i] as FileSystemFileHandle | undefined })) };
}

async function readEntry(directory: FileSystemDirectoryEntry): Promise<ChosenFolder> {
  const reader = directory.createReader();
  const files: File[] = [];
  for (;;) {
    // A reader hands out its entries in portions and ends with an empty one.
    const entries = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (entries.length === 0) return { name: directory.name, files };
    for (const entry of entries)
      if (entry.isFile)
        files.push(
          await new Promise((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject)),
        );
  }
}

async function unlessCancelled<T>(picked: Promise<T>): Promise<T | undefined> {
  try {
    return await picked;
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') return undefined;
    throw error;
  }
}
