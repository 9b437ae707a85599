import { describe, expect, it } from 'vitest';
import { folderOf } from '../../../src/engine/files/files.ts';
import { openBaseModel } from '../../../src/formats/base-model.ts';
import type { ChosenFolder } from '../../../src/platform/chosen-files.ts';
import { type Place, placeOfEntry, placeOfPaths } from '../../../src/platform/places.ts';
import { folderAt, foldersWith, folderWithin, readFolder } from '../../../src/platform/read-folder.ts';
import { loadTokenizer } from '../../../src/text/load-tokenizer.ts';
import { fixtureBytes, fixtureFiles } from '../../support/memory-folder.ts';

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

const ways: readonly [string, (paths: readonly string[]) => Promise<ChosenFolder>][] = [
  ['a handle', (paths) => readFolder(handleOf('base', treeOf(paths)))],
  ['a drop', (paths) => folderAt(placeOfEntry(entryOf('base', treeOf(paths))), 'base')],
  [
    'an input',
    (paths) =>
      folderAt(
        placeOfPaths(paths.map((path) => [path, new File([path], path.split('/').at(-1)!)] as const)),
        'base',
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

it.each(ways)('%s takes the only model in a folder of models', async (_, read) => {
  const { name, files, below } = await read(['one/config.json', 'one/model.safetensors', 'notes.txt']);
  expect(name).toBe('base/one');
  expect(files.map((file) => file.name)).toEqual(['config.json', 'model.safetensors']);
  expect(below).toBeUndefined();
});

it.each(ways)('%s of several folders opens the one that was meant', async (_, read) => {
  const chosen = await read([
    'v2/checkpoint-100/adapter_config.json',
    'checkpoint-100/adapter_config.json',
    'checkpoint-20/adapter_config.json',
    'checkpoint-20/adapter_model.safetensors',
    'qwen/config.json',
  ]);
  expect(foldersWith(chosen, 'adapter_config.json')).toEqual(['checkpoint-20', 'checkpoint-100']);
  expect(foldersWith(chosen, 'config.json')).toEqual(['qwen']);
  // It is passed to the worker.
  expect(() => structuredClone({ ...chosen, files: [], handle: undefined })).not.toThrow();
  const { name, files, below } = await folderWithin(chosen, 'checkpoint-20');
  expect(name).toBe('base/checkpoint-20');
  expect(files.map((file) => file.name)).toEqual(['adapter_config.json', 'adapter_model.safetensors']);
  expect(below).toBeUndefined();
});

it.each(ways)('%s of LM Studio or Ollama is known by its GGUF', async (_, read) => {
  const message =
    'GGUF, whose weights are quantized to be run, as LM Studio, Ollama and llama.cpp do, and cannot be trained;';
  await expect(read(['notes.txt', 'qwen/Qwen2.5-1.5B-Instruct-GGUF/q4_k_m.gguf'])).rejects.toThrow(
    `base/qwen/Qwen2.5-1.5B-Instruct-GGUF/q4_k_m.gguf: ${message}`,
  );
  await expect(
    read(['id_ed25519', 'models/blobs/sha256-0a', 'models/manifests/registry.ollama.ai/library/qwen/latest']),
  ).rejects.toThrow(`base/models/blobs: ${message}`);
  const { below } = await read(['a/config.json', 'b/config.json', 'c/model.gguf']);
  expect(below).toEqual(['a/config.json', 'b/config.json']);
});

it.each(ways)('%s takes none in place of a model that lost its configuration', async (_, read) => {
  const { name, files } = await read(['model.safetensors', 'onnx/config.json']);
  expect(name).toBe('base');
  expect(files.map((file) => file.name)).toEqual(['model.safetensors']);
});

describe('Hugging Face’s cache without its links', () => {
  const CASE = 'cases/llama_sharded/base';
  const model = fixtureFiles(CASE);
  const blobs = Object.entries(model).map(([name], i) => [`blobs/${i}f`, name] as const);
  const cache = (folder: string) => [
    ...blobs.map(([path]) => `${folder}${path}`),
    `${folder}refs/main`,
    `${folder}.no_exist/0a/README.md`,
  ];
  const content = (path: string): BlobPart => {
    if (path === 'models--org--lora/blobs/1e') {
      return '{"peft_type": "LORA"}';
    }
    const [, name] = blobs.find(([blob]) => path.endsWith(blob)) ?? [];
    return name === undefined ? '0a' : (model[name] as Uint8Array<ArrayBuffer>);
  };
  const ways = [
    ['a handle', (paths) => readFolder(handleOf('hub', treeOf(paths, content)))],
    ['a drop', (paths) => folderAt(placeOfEntry(entryOf('hub', treeOf(paths, content))), 'hub')],
  ] as const satisfies [string, (paths: readonly string[]) => Promise<ChosenFolder>][];

  it.each(ways)(
    '%s of a model there has the files, under their names, that the folder itself has',
    async (_, read) => {
      const { name, files } = await read(cache(''));
      expect(name).toBe('hub');
      const contents = await Promise.all(
        files.map(async (file) => [file.name, new Uint8Array(await file.arrayBuffer())] as const),
      );
      expect(contents.map(([file]) => file).toSorted()).toEqual(Object.keys(model).toSorted());
      for (const [file, bytes] of contents) {
        expect(Buffer.compare(bytes, model[file] as Uint8Array), file).toBe(0);
      }
      const base = await openBaseModel(folderOf({ name, files }));
      expect(base.weightFiles.map((file) => file.name)).toEqual(
        [1, 2, 3].map((i) => `hub/model-0000${i}-of-00003.safetensors`),
      );
    },
  );

  it.each(ways)('%s of the cache with a single model is that model', async (_, read) => {
    const { name, files } = await read(cache('models--org--name/'));
    expect(name).toBe('hub/models--org--name');
    expect(files.map((file) => file.name).toSorted()).toEqual(Object.keys(model).toSorted());
  });

  it.each(ways)(
    '%s of the cache with several opens the one that was meant, be it an adapter',
    async (_, read) => {
      const chosen = await read([
        ...cache('models--org--name/'),
        ...cache('models--org--other/'),
        'models--org--lora/blobs/0e',
        'models--org--lora/blobs/1e',
        // Copied, as where the system allows no links.
        'models--org--copied/snapshots/0a/adapter_config.json',
      ]);
      expect(foldersWith(chosen, 'config.json')).toEqual(['models--org--name', 'models--org--other']);
      expect(foldersWith(chosen, 'adapter_config.json')).toEqual([
        'models--org--copied',
        'models--org--lora',
      ]);
      const { name, files } = await folderWithin(chosen, 'models--org--other');
      expect(name).toBe('hub/models--org--other');
      expect(files.map((file) => file.name).toSorted()).toEqual(Object.keys(model).toSorted());
      const copied = await folderWithin(chosen, 'models--org--copied');
      expect(copied.name).toBe('hub/models--org--copied/snapshots/0a');
      expect(copied.files.map((file) => file.name)).toEqual(['adapter_config.json']);
    },
  );

  it.each(ways)('%s of the cache with several asks which', async (_, read) => {
    const chosen = await read([...cache('models--org--name/'), ...cache('models--org--other/')]);
    await expect(openBaseModel(folderOf(chosen))).rejects.toThrow(
      'hub: one level too high: 2 folders in it have a config.json ("models--org--name", "models--org--other"); choose one of those.',
    );
  });
});

it('looks into a bounded number of folders', async () => {
  let looked = 0;
  const inner: Place = {
    files: async () => [],
    folders: async () => new Map(),
    has: async () => ++looked < 0,
  };
  const folders = new Map(Array.from({ length: 5000 }, (_, i) => [`folder-${i}`, inner]));
  await folderAt({ ...inner, folders: async () => folders }, 'base');
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
