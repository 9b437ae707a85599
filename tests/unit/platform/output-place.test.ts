import { describe, expect, it } from 'vitest';
import { checkOutput, freeName, removeUnfinished } from '../../../src/platform/output-place.ts';
import { outputFolder } from '../../support/output-folder.ts';

const withFiles = (...paths: string[]) => {
  const { handle, files } = outputFolder('models');
  paths.forEach((path) => files.set(path, new Uint8Array()));
  return { handle, files };
};

describe('a folder to write into', () => {
  it.each(['config.json', 'adapter_config.json'])('is none that holds a model: %s', async (name) => {
    await expect(checkOutput(withFiles(name).handle, [])).rejects.toThrow(
      `models: it holds a model already (${name}), and nothing is written among its files; choose another folder.`,
    );
  });

  it('is none of the inputs, nor in one', async () => {
    const { handle } = withFiles();
    const input = { resolve: async () => ['inner'] } as unknown as FileSystemDirectoryHandle;
    await expect(checkOutput(handle, [undefined, input])).rejects.toThrow(
      'models: it is, or lies in, a folder that this run was made from, which is never written to',
    );
    const apart = { resolve: async () => null } as unknown as FileSystemDirectoryHandle;
    await expect(checkOutput(handle, [apart])).resolves.toBeUndefined();
  });
});

it('takes a name that is free', async () => {
  const { handle } = withFiles('v2-merged/config.json', 'v2-Q8_0.gguf', 'v2-Q8_0-2.gguf');
  expect(await freeName(handle, 'v2-merged')).toBe('v2-merged-2');
  expect(await freeName(handle, 'v2-Q8_0.gguf')).toBe('v2-Q8_0-3.gguf');
  expect(await freeName(handle, 'v2-ollama')).toBe('v2-ollama');
});

it('removes what is not whole, once what writes it lets go', async () => {
  const { handle, files } = withFiles('v2-merged/a', 'v2-merged/b', 'mine');
  const { removeEntry } = handle;
  let locked = 2;
  handle.removeEntry = (name, options) => {
    if (locked-- > 0) {
      return Promise.reject(new DOMException('in use', 'NoModificationAllowedError'));
    }
    return removeEntry(name, options);
  };
  expect(await removeUnfinished(handle, 'v2-merged')).toBe(true);
  expect([...files.keys()]).toEqual(['mine']);
});
