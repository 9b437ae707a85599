import type { OutputFile } from '../../src/export/output-file.ts';
import { openSource, type Source } from '../../src/export/source.ts';
import type { Onto } from '../../src/export/weights.ts';
import { fixtureFiles, type MemoryFiles, memoryFolder } from './memory-folder.ts';

/** The bytes of an exported file, whose length must be the one that was told before. */
export async function contentOf(file: OutputFile): Promise<Uint8Array<ArrayBuffer>> {
  const all = new Uint8Array(file.bytes);
  let end = 0;
  for await (const chunk of file.chunks()) {
    all.set(chunk, end);
    end += chunk.length;
  }
  if (end !== file.bytes) {
    throw new Error(`${file.path} has ${end} bytes, ${file.bytes} were told`);
  }
  return all;
}

/** Exported files as a folder. */
export async function exportedFolder(files: readonly OutputFile[]) {
  const contents: MemoryFiles = {};
  for (const file of files) {
    contents[file.path] = await contentOf(file);
  }
  return memoryFolder('exported', contents);
}

const fixture = (path: string) => memoryFolder(path, fixtureFiles(path));

/** The base and V1 of one of tests/fixtures/cases. */
export const caseSource = (name: string, onto: Onto = 'base'): Promise<Source> =>
  openSource({
    base: fixture(`cases/${name}/base`),
    adapter: fixture(`cases/${name}/v1`),
    onto,
    otherBase: false,
  });
