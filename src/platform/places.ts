/** A folder from the browser's handles, drops or inputs. */
export interface Place {
  files(): Promise<File[]>;
  folders(): Promise<Map<string, Place>>;
  has(file: string): Promise<boolean>;
  handle?: FileSystemDirectoryHandle;
}

/** A folder behind a handle. */
export function placeOfHandle(handle: FileSystemDirectoryHandle): Place {
  return {
    handle,
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
          folders.set(entry.name, placeOfHandle(entry as FileSystemDirectoryHandle));
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
