import { expect, it } from 'vitest';
import { folderOf } from '../../../src/engine/files/files.ts';
import {
  contentsOf,
  type Place,
  placeOfEntry,
  placeOfPaths,
  readFolder,
} from '../../../src/platform/read-folder.ts';
import { loadTokenizer } from '../../../src/text/load-tokenizer.ts';
import { fixtureBytes } from '../../support/memory-folder.ts';

const TOOLS = 'additional_chat_templates/tool_use.jinja';
const OWN = ['config.json', 'tokenizer.json', 'chat_template.jinja'];
const PATHS = [...OWN, TOOLS, 'additional_chat_templates/notes.txt', 'onnx/config.json'];

/** A tree of folders by name and files by text, of paths. */
type Tree = Map<string, Tree | File>;
function treeOf(paths: readonly string[], content = (path: string): BlobPart => path): Tree {
  const root: Tree = new Map();
  for (const path of paths) {
    const parts = path.split('/');
    const name = parts.pop()!;
    let tree = root;
    for (const part of parts) {
      if (!tree.has(part)) {
        tree.set(part, new Map());
      }
      tree = tree.get(part) as Tree;
    }
    tree.set(name, new File([content(path)], name));
  }
  return root;
}

function handleOf(name: string, tree: Tree): FileSystemDirectoryHandle {
  const entry = (inner: string, value: Tree | File) =>
    value instanceof File
      ? { kind: 'file', name: inner, getFile: async () => value }
      : handleOf(inner, value);
  return {
    kind: 'directory',
    name,
    async *values() {
      for (const [inner, value] of tree) {
        yield entry(inner, value);
      }
    },
    getFileHandle: async (inner: string) => {
      const value = tree.get(inner);
      if (!(value instanceof File)) {
        throw new DOMException('not there', 'NotFoundError');
      }
      return entry(inner, value);
    },
  } as unknown as FileSystemDirectoryHandle;
}

/** As a drop gives them: in batches of one. */
function entryOf(name: string, tree: Tree): FileSystemDirectoryEntry {
  const entries = [...tree].map(([inner, value]) =>
    value instanceof File
      ? { isFile: true, name: inner, file: (done: (file: File) => void) => done(value) }
      : entryOf(inner, value),
  );
  return {
    isDirectory: true,
    name,
    createReader: () => {
      let next = 0;
      return { readEntries: (done: (some: unknown[]) => void) => done(entries.slice(next, ++next)) };
    },
    getFile: (inner: string, _: object, found: () => void, not: () => void) =>
      tree.get(inner) instanceof File ? found() : not(),
  } as unknown as FileSystemDirectoryEntry;
}

const ways: readonly [
  string,
  (paths: readonly string[]) => Promise<Awaited<ReturnType<typeof contentsOf>>>,
][] = [
  ['a handle', (paths) => readFolder(handleOf('base', treeOf(paths)))],
  ['a drop', (paths) => contentsOf(placeOfEntry(entryOf('base', treeOf(paths))))],
  [
    'an input',
    (paths) =>
      contentsOf(
        placeOfPaths(paths.map((path) => [path, new File([path], path.split('/').at(-1)!)] as const)),
      ),
  ],
];

it.each(ways)('%s gives a model its own files and its templates for tools', async (_, read) => {
  const { files, nested, below } = await read(PATHS);
  expect(files.map(({ name }) => name)).toEqual(OWN);
  expect(nested?.map(({ path }) => path)).toEqual([TOOLS]);
  expect(await nested![0]!.file.text()).toBe(TOOLS);
  // A model is where it should be, whatever else is in it.
  expect(below).toBeUndefined();
});

it.each(ways)('%s tells of models in the folders of one that is none', async (_, read) => {
  const { files, nested, below } = await read([
    'a/config.json',
    'b/c/config.json',
    'snapshots/0a/config.json',
    'd.txt',
  ]);
  expect(files.map(({ name }) => name)).toEqual(['d.txt']);
  expect(nested).toBeUndefined();
  expect(below).toEqual(['a/config.json', 'snapshots/0a/config.json']);
});

it('looks into a bounded number of folders', async () => {
  let looked = 0;
  const inner: Place = {
    files: async () => [],
    folders: async () => new Map(),
    has: async () => ++looked < 0,
  };
  const folders = new Map(Array.from({ length: 5000 }, (_, i) => [`folder-${i}`, inner]));
  await contentsOf({ ...inner, folders: async () => folders });
  expect(looked).toBeLessThan(1000);
});

it('the template for tools that lies in a folder of its own is the one that rows with tools get', async () => {
  const base = 'cases/recipe_text/base';
  const content = (path: string): BlobPart =>
    path === TOOLS ? 'for tools' : (fixtureBytes(`${base}/${path}`) as Uint8Array<ArrayBuffer>);
  const handle = handleOf('base', treeOf(['tokenizer.json', 'tokenizer_config.json', TOOLS], content));
  const { templates } = await loadTokenizer(folderOf(await readFolder(handle)));
  expect(templates.byName.get('tool_use')).toEqual({ text: 'for tools', file: `base/${TOOLS}` });
});
