import { expect, it } from 'vitest';
import { writeInto } from '../../../src/engine/runs/export.ts';
import { bytesSource } from '../../../src/formats/byte-source.ts';
import { UserError } from '../../../src/formats/user-error.ts';
import { outputFolder } from '../../support/output-folder.ts';

const FILES = ['adapter_config.json', 'adapter_model.safetensors', 'logs/events', 'README.md'].map(
  (path) => ({
    path,
    source: bytesSource(path, new Uint8Array(8)),
  }),
);

const sentenceOf = async (work: Promise<unknown>): Promise<string> => {
  const error: unknown = await work.then(
    () => 'done',
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(UserError);
  return (error as UserError).message;
};

it('writes every file, and tells of each', async () => {
  const { handle, files } = outputFolder('out');
  const heard: string[] = [];
  await writeInto(handle, FILES, {}, (path, total) => heard.push(`${path} of ${total}`));
  expect([...files.keys()]).toEqual(FILES.map(({ path }) => path));
  expect(heard).toEqual(FILES.map(({ path }) => `${path} of 4`));
});

it.each([
  ['NotAllowedError', 0, 'nothing was written to it'],
  ['QuotaExceededError', 1, 'only 1 of 4 files is in it (adapter_config.json)'],
  [
    'NoModificationAllowedError',
    2,
    'only 2 of 4 files are in it (adapter_config.json, adapter_model.safetensors)',
  ],
  [
    'NotFoundError',
    3,
    'only 3 of 4 files are in it (adapter_config.json, adapter_model.safetensors, logs/events)',
  ],
])('%s at file %d says what the folder holds, and leaves no empty file', async (name, at, holds) => {
  const { handle, files } = outputFolder('out', { name, at });
  expect(await sentenceOf(writeInto(handle, FILES))).toBe(
    `out: cannot be written to (injected), and ${holds}; choose another folder, or download the zip.`,
  );
  expect(files.size).toBe(at);
});

it('names what is there where a file of the run cannot be read', async () => {
  const { handle } = outputFolder('out');
  const gone = {
    ...FILES[1]!.source,
    read: () => Promise.reject(new UserError('adapter_model.safetensors: cannot be read; try again.')),
  };
  const files = FILES.map((file, i) => (i === 1 ? { ...file, source: gone } : file));
  expect(await sentenceOf(writeInto(handle, files))).toBe(
    'out: not all of it could be written (adapter_model.safetensors: cannot be read), and only 1 of 4 files is in it (adapter_config.json); save it again.',
  );
});

it('leaves what was there under the name of a file that it could not write', async () => {
  const { handle, files } = outputFolder('out', { name: 'QuotaExceededError', at: 1 });
  files.set('adapter_model.safetensors', new Uint8Array([7]));
  await sentenceOf(writeInto(handle, FILES));
  expect(files.get('adapter_model.safetensors')).toEqual(new Uint8Array([7]));
});

it('ends with the reason of who has canceled it', async () => {
  const { handle, files } = outputFolder('out');
  const cancel = new AbortController();
  const reason = new UserError('out: saving was canceled.');
  const work = writeInto(handle, FILES, { signal: cancel.signal }, () => cancel.abort(reason));
  await expect(work).rejects.toBe(reason);
  expect([...files.keys()]).toEqual(['adapter_config.json']);
});
