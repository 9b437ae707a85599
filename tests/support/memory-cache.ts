import type { CacheDirectory, CacheFile } from '../../src/storage/base-cache.ts';

/** What a test can change in the origin-private file system. */
export interface MemoryDirectory extends CacheDirectory {
  readonly folders: Map<string, MemoryDirectory>;
  readonly files: Map<string, Uint8Array<ArrayBuffer>>;
}

const notFound = () => Promise.reject(new DOMException('not there', 'NotFoundError'));

/** A folder of the origin-private file system; `room()` bytes may still be written. */
export function memoryDirectory(room: () => number = () => Infinity): MemoryDirectory {
  const folders = new Map<string, MemoryDirectory>();
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  const file = (name: string): CacheFile => ({
    getFile: () => Promise.resolve(new File([files.get(name)!], name)),
    createWritable: () => {
      let content = new Uint8Array();
      return Promise.resolve({
        write: (bytes) => {
          content = joined(content, bytes);
          return Promise.resolve();
        },
        close: () => {
          files.set(name, content);
          return Promise.resolve();
        },
      });
    },
    createSyncAccessHandle: () =>
      Promise.resolve({
        write: (bytes, { at }) => {
          const before = files.get(name)!;
          if (at !== before.length) {
            throw new Error(`${name}: a gap before byte ${at}`);
          }
          if (bytes.length > room()) {
            throw new DOMException('full', 'QuotaExceededError');
          }
          files.set(name, joined(before, bytes));
          return bytes.length;
        },
        flush: () => undefined,
        close: () => undefined,
      }),
  });
  return {
    folders,
    files,
    async *keys() {
      yield* [...folders.keys(), ...files.keys()];
    },
    getDirectoryHandle: (name, { create = false } = {}) => {
      if (!folders.has(name) && !create) {
        return notFound();
      }
      if (!folders.has(name)) {
        folders.set(name, memoryDirectory(room));
      }
      return Promise.resolve(folders.get(name)!);
    },
    getFileHandle: (name, { create = false } = {}) => {
      if (!files.has(name) && !create) {
        return notFound();
      }
      if (!files.has(name)) {
        files.set(name, new Uint8Array());
      }
      return Promise.resolve(file(name));
    },
    removeEntry: (name) => (folders.delete(name) || files.delete(name) ? Promise.resolve() : notFound()),
  };
}

function joined(a: Uint8Array<ArrayBuffer>, b: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
