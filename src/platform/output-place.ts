import { shorten } from '../formats/quote.ts';
import { UserError } from '../formats/user-error.ts';

/** Files that make a folder a model's or an adapter's. */
const MODEL_FILES = ['config.json', 'adapter_config.json'];

/** Throws UserError for a folder that nothing may be written into: one of `inputs`, one inside, or any model's. */
export async function checkOutput(
  folder: FileSystemDirectoryHandle,
  inputs: readonly (FileSystemDirectoryHandle | undefined)[],
): Promise<void> {
  for (const input of inputs) {
    // Of the folder itself, the path from it is empty.
    if (input && (await input.resolve(folder)) !== null) {
      throw new UserError(
        `${shorten(folder.name)}: it is, or lies in, a folder that this run was made from, which is never written to; choose another folder.`,
      );
    }
  }
  for (const name of MODEL_FILES) {
    if (await isTaken(folder, name)) {
      throw new UserError(
        `${shorten(folder.name)}: it holds a model already (${name}), and nothing is written among its files; choose another folder.`,
      );
    }
  }
}

/** `name`, or `name-2` and so on where the folder has that: "v2.gguf", "v2-2.gguf". */
export async function freeName(folder: FileSystemDirectoryHandle, name: string): Promise<string> {
  const dot = name.endsWith('.gguf') ? name.lastIndexOf('.') : name.length;
  for (let n = 2, free = name; ; n++) {
    if (!(await isTaken(folder, free))) {
      return free;
    }
    free = `${name.slice(0, dot)}-${n}${name.slice(dot)}`;
  }
}

async function isTaken(folder: FileSystemDirectoryHandle, name: string): Promise<boolean> {
  try {
    await folder.getFileHandle(name);
    return true;
  } catch (error) {
    if (error instanceof DOMException && error.name === 'NotFoundError') {
      return false;
    }
    if (error instanceof DOMException && error.name === 'TypeMismatchError') {
      return true;
    }
    throw error;
  }
}

/** Milliseconds after which a file that is still being written is given up. */
const PATIENCE_MS = 3000;

/** Removes a file or folder that was not written whole; resolves to whether it is gone. */
export async function removeUnfinished(folder: FileSystemDirectoryHandle, name: string): Promise<boolean> {
  for (let wait = 50; ; wait *= 2) {
    try {
      await folder.removeEntry(name, { recursive: true });
    } catch (error) {
      if (error instanceof DOMException && error.name === 'NotFoundError') {
        return true;
      }
    }
    if (wait > PATIENCE_MS) {
      return false;
    }
    // What wrote it may have it open for a moment yet, or make it once more.
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}
