import type { Folder } from '../formats/byte-source.ts';
import type { CacheStorage } from '../model/base/cache/storage.ts';

/** Counts the bytes read from the files of folders. */
export class CountedReads {
  /** Reset to zero by the caller. */
  bytes = 0;

  folder(folder: Folder): Folder {
    return {
      name: folder.name,
      list: () => folder.list(),
      open: async (name) => {
        const file = await folder.open(name);
        return (
          file && {
            ...file,
            read: (begin, into) => {
              this.bytes += into.length;
              return file.read(begin, into);
            },
          }
        );
      },
    };
  }

  storage(storage: CacheStorage): CacheStorage {
    return {
      entries: () => storage.entries(),
      open: async (entry) => this.folder(await storage.open(entry)),
      begin: (entry, bytes) => storage.begin(entry, bytes),
      replace: (entry, file, content) => storage.replace(entry, file, content),
      remove: (entry) => storage.remove(entry),
    };
  }
}
