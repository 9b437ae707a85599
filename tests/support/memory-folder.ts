import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ByteSource, bytesSource, type Folder } from '../../src/formats/byte-source.ts';

export type MemoryFiles = Record<string, Uint8Array | string>;

/** A folder whose files are byte arrays or texts; the map stays live, so that a test can change a file. */
export function memoryFolder(name: string, files: MemoryFiles): Folder {
  return {
    name,
    list: () => Promise.resolve(Object.keys(files).toSorted()),
    open: (file) => {
      const content = files[file];
      return Promise.resolve(content === undefined ? undefined : source(`${name}/${file}`, content));
    },
  };
}

/** A source over a text or bytes. */
export function source(name: string, content: Uint8Array | string): ByteSource {
  return bytesSource(name, typeof content === 'string' ? new TextEncoder().encode(content) : content);
}

/** One array of all chunks, as a file would hold them. */
export function joinBytes(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let end = 0;
  for (const chunk of chunks) {
    joined.set(chunk, end);
    end += chunk.length;
  }
  return joined;
}

const FIXTURES = fileURLToPath(new URL('../fixtures/', import.meta.url));

/** The bytes of a file under tests/fixtures. */
export function fixtureBytes(path: string): Uint8Array {
  return new Uint8Array(readFileSync(join(FIXTURES, path)));
}

/** The files of a folder under tests/fixtures, for changing and wrapping by `memoryFolder`. */
export function fixtureFiles(path: string): MemoryFiles {
  const names = readdirSync(join(FIXTURES, path)).filter((name) =>
    statSync(join(FIXTURES, path, name)).isFile(),
  );
  return Object.fromEntries(names.map((name) => [name, fixtureBytes(join(path, name))]));
}
