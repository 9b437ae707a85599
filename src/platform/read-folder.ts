import type { ChosenFolder, NestedFile } from './chosen-files.ts';

/** The only folder inside a model's whose files count. */
const TEMPLATES = 'additional_chat_templates';
const TEMPLATE = /\.jinja$/;
/** Where Hugging Face's cache keeps a model's folders. */
const SNAPSHOTS = 'snapshots';
/** Files that identify a base model's or an adapter's folder. */
const MARKS = ['config.json', 'adapter_config.json'];
/** Maximum folders searched, and files taken from one. */
const MAX_LOOKED = 200;
const MAX_TEMPLATES = 100;

/** A folder from the browser's handles, drops or inputs. */
export interface Place {
  files(): Promise<File[]>;
  folders(): Promise<Map<string, Place>>;
  has(file: string): Promise<boolean>;
}

/** The files that are chosen with a folder. */
export async function contentsOf(place: Place): Promise<Pick<ChosenFolder, 'files' | 'nested' | 'below'>> {
  const files = await place.files();
  const folders = await place.folders();
  const templates = (await folders.get(TEMPLATES)?.files()) ?? [];
  const nested = templates
    .filter(({ name }) => TEMPLATE.test(name))
    .slice(0, MAX_TEMPLATES)
    .map((file): NestedFile => ({ path: `${TEMPLATES}/${file.name}`, file }));
  const isModel = files.some(({ name }) => MARKS.includes(name));
  const below = isModel ? [] : await marksBelow(folders);
  return { files, ...(nested.length > 0 && { nested }), ...(below.length > 0 && { below }) };
}

async function marksBelow(folders: ReadonlyMap<string, Place>): Promise<string[]> {
  const snapshots = (await folders.get(SNAPSHOTS)?.folders()) ?? new Map<string, Place>();
  const places = [
    ...folders,
    ...[...snapshots].map(([name, place]) => [`${SNAPSHOTS}/${name}`, place] as const),
  ];
  const marks: string[] = [];
  for (const [name, place] of places.slice(0, MAX_LOOKED)) {
    for (const mark of MARKS) {
      if (await place.has(mark)) {
        marks.push(`${name}/${mark}`);
      }
    }
  }
  return marks;
}

/** The files behind a folder's handle. */
export async function readFolder(handle: FileSystemDirectoryHandle): Promise<ChosenFolder> {
  return { name: handle.name, handle, ...(await contentsOf(placeOf(handle))) };
}

function placeOf(handle: FileSystemDirectoryHandle): Place {
  return {
    async files() {
      const files: File[] = [];
      for await (const entry of handle.values()) {
        if (entry.kind === 'file') {
          files.push(await (entry as FileSystemFileHandle).getFile());
        }
      }
      return files;
    },
    async folders() {
      const folders = new Map<string, Place>();
      for await (const entry of handle.values()) {
        if (entry.kind === 'directory') {
          folders.set(entry.name, placeOf(entry as FileSystemDirectoryHandle));
        }
      }
      return folders;
    },
    has: (file) =>
      handle.getFileHandle(file).then(
        () => true,
        () => false,
      ),
  };
}

/** A folder whose files are known by path, as an <input webkitdirectory> lists them: "folder/inner/file". */
export function placeOfPaths(files: readonly (readonly [path: string, file: File])[]): Place {
  const own: File[] = [];
  const inner = new Map<string, (readonly [path: string, file: File])[]>();
  for (const [path, file] of files) {
    const cut = path.indexOf('/');
    if (cut < 0) {
      own.push(file);
      continue;
    }
    const name = path.slice(0, cut);
    const entry = [path.slice(cut + 1), file] as const;
    const before = inner.get(name);
    if (before) {
      before.push(entry);
    } else {
      inner.set(name, [entry]);
    }
  }
  return {
    files: async () => own,
    folders: async () => new Map([...inner].map(([name, entries]) => [name, placeOfPaths(entries)])),
    has: async (name) => own.some((file) => file.name === name),
  };
}

/** A dropped folder, if the browser provides no handles. */
export function placeOfEntry(directory: FileSystemDirectoryEntry): Place {
  const entries = async (): Promise<FileSystemEntry[]> => {
    const reader = directory.createReader();
    const all: FileSystemEntry[] = [];
    for (;;) {
      // A reader returns its entries in batches and ends with an empty one.
      const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
        reader.readEntries(resolve, reject),
      );
      if (some.length === 0) {
        return all;
      }
      all.push(...some);
    }
  };
  return {
    async files() {
      const own = (await entries()).filter((entry) => entry.isFile) as FileSystemFileEntry[];
      return Promise.all(
        own.map((entry) => new Promise<File>((resolve, reject) => entry.file(resolve, reject))),
      );
    },
    async folders() {
      const own = (await entries()).filter((entry) => entry.isDirectory) as FileSystemDirectoryEntry[];
      return new Map(own.map((entry) => [entry.name, placeOfEntry(entry)]));
    },
    has: (file) =>
      new Promise((resolve) =>
        directory.getFile(
          file,
          {},
          () => resolve(true),
          () => resolve(false),
        ),
      ),
  };
}
