import { expect, it } from 'vitest';
import { folderOf, readChosenFolder, readFile, sourceOf } from '../../../src/engine/files/files.ts';
import { readAll } from '../../../src/formats/byte-source.ts';

/** A file as a folder input gives it. */
function fileAt(path: string, text = path): File {
  const file = new File([text], path.split('/').at(-1)!);
  Object.defineProperty(file, 'webkitRelativePath', { value: path.includes('/') ? path : '' });
  return file;
}

it('a chosen folder has its own files, and not those of the folders in it', async () => {
  const files = [
    fileAt('base/model.safetensors'),
    fileAt('base/config.json'),
    fileAt('base/old/config.json'),
  ];
  const folder = folderOf({ name: 'base', files });
  expect(await folder.list()).toEqual(['config.json', 'model.safetensors']);
  const file = (await folder.open('config.json'))!;
  expect(file.name).toBe('base/config.json');
  expect(new TextDecoder().decode(await readAll(file))).toBe('base/config.json');
  expect(await folder.open('README.md')).toBeUndefined();
});

it('a file is read by position, and says so where it ends too early', async () => {
  const source = sourceOf({ file: fileAt('rows.jsonl', '0123456789') });
  const into = new Uint8Array(4);
  await source.read(3, into);
  expect(new TextDecoder().decode(into)).toBe('3456');
  await expect(source.read(8, into)).rejects.toThrow(
    'rows.jsonl: ended at byte 10, while bytes up to 12 were expected; it was changed or moved since it was chosen, so choose it again.',
  );
});

it('a file that cannot be read any more is named', async () => {
  const file = fileAt('rows.jsonl');
  Object.defineProperty(file, 'slice', {
    value: () => ({ arrayBuffer: () => Promise.reject(new DOMException('It changed.', 'NotReadableError')) }),
  });
  await expect(sourceOf({ file }).read(0, new Uint8Array(2))).rejects.toThrow(
    'rows.jsonl: cannot be read (It changed); it was changed or moved since it was chosen, so choose it again.',
  );
});

it('what lies behind handles is read, and a permission that is due is said', async () => {
  const handle = (file: File) => ({ kind: 'file', name: file.name, getFile: () => Promise.resolve(file) });
  const inner = handle(fileAt('config.json'));
  const directory = {
    kind: 'directory',
    name: 'base',
    async *values() {
      yield inner;
      yield { kind: 'directory', name: 'old' };
    },
  } as unknown as FileSystemDirectoryHandle;
  const folder = await readChosenFolder(directory);
  expect(folder).toMatchObject({ name: 'base', handle: directory });
  expect(folder.files.map(({ name }) => name)).toEqual(['config.json']);

  const failing = (kind: string) =>
    ({
      name: 'train.jsonl',
      getFile: () => Promise.reject(new DOMException('', kind)),
    }) as unknown as FileSystemFileHandle;
  await expect(readFile(failing('NotAllowedError'))).rejects.toThrow(
    'train.jsonl: the browser asks again whether Retune may read it; allow it, then continue.',
  );
  await expect(readFile(failing('NotFoundError'))).rejects.toThrow(
    'train.jsonl: it is not where it was; bring it back, or choose it again.',
  );
});
