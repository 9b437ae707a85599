/**
 * A folder of the user's that may be written to, with its files by path. The file of index `at` fails with a
 * DOMException of that name when it is written.
 */
export function outputFolder(
  name: string,
  fault?: { name: string; at: number },
): { handle: FileSystemDirectoryHandle; files: Map<string, Uint8Array> } {
  const files = new Map<string, Uint8Array>();
  let begun = 0;
  const file = (path: string) => ({
    createWritable: async () => {
      const fails = begun++ === fault?.at;
      const chunks: Uint8Array[] = [];
      return {
        write: async (chunk: Uint8Array) => {
          if (fails) {
            throw new DOMException('injected', fault?.name);
          }
          chunks.push(chunk);
        },
        abort: async () => undefined,
        close: async () => void files.set(path, new Uint8Array(Buffer.concat(chunks))),
      };
    },
  });
  const folder = (prefix: string): unknown => ({
    name,
    getDirectoryHandle: async (inner: string) => folder(`${prefix}${inner}/`),
    getFileHandle: async (inner: string, { create = false } = {}) => {
      const path = prefix + inner;
      if ([...files.keys()].some((other) => other.startsWith(`${path}/`))) {
        throw new DOMException('a folder', 'TypeMismatchError');
      }
      if (!files.has(path) && !create) {
        throw new DOMException('not there', 'NotFoundError');
      }
      if (!files.has(path)) {
        files.set(path, new Uint8Array());
      }
      return file(path);
    },
    resolve: async () => null,
    removeEntry: async (inner: string) => {
      const all = [...files.keys()].filter(
        (path) => path === prefix + inner || path.startsWith(`${prefix}${inner}/`),
      );
      if (all.length === 0) {
        throw new DOMException('not there', 'NotFoundError');
      }
      all.forEach((path) => files.delete(path));
    },
  });
  return { handle: folder('') as FileSystemDirectoryHandle, files };
}
