import { expect, it } from 'vitest';
import { RunFiles } from '../../../src/engine/files/inputs.ts';
import type { KeptAdapters } from '../../../src/engine/files/kept-adapters.ts';
import { KeptBases } from '../../../src/engine/files/kept-bases.ts';
import type { ChosenInputs } from '../../../src/engine/protocol/protocol.ts';
import type { Folder } from '../../../src/formats/byte-source.ts';
import { defaultRecipe } from '../../../src/formats/recipe.ts';
import { UserError } from '../../../src/formats/user-error.ts';
import type { BaseCache } from '../../../src/model/base/cache/base-cache.ts';
import type { KeptInputs } from '../../../src/storage/kept-inputs.ts';
import type { StoredRun } from '../../../src/storage/run-records.ts';

const FOLDER = { name: 'qwen' } as Folder;
/** A folder that the browser would ask about. */
const HANDLE = {
  name: 'qwen',
  values() {
    throw new DOMException('', 'NotAllowedError');
  },
} as unknown as FileSystemDirectoryHandle;
const ROWS = new File(['{}'], 'rows.jsonl');
const V1 = [new File(['{}'], 'adapter_config.json')];

const run = (more: Partial<StoredRun> = {}) =>
  ({
    id: 'a',
    name: 'V1 + rows',
    inputs: { base: 'qwen', source: 'v1', train: 'rows.jsonl', validation: undefined },
    handles: { base: HANDLE },
    recipe: defaultRecipe(),
    identity: { base: 'hash' },
    columns: { train: { instruction: 'q' } },
    ...more,
  }) as unknown as StoredRun;

/** The files of `record`, of which the cache has the base in one form, and the browser copies of the rest. */
function filesOf(record: StoredRun, doubleQuant: boolean | undefined) {
  const cache = {
    folder: async (hash: string, wanted: boolean) =>
      hash === 'hash' && wanted === doubleQuant ? FOLDER : undefined,
  } as unknown as BaseCache;
  const bases = new KeptBases({ get: async (id) => (id === 'a' ? record : undefined) }, cache);
  const small = { get: async () => ({ source: V1, train: ROWS, validation: undefined }) };
  const kept = {
    open: async (id: string) => {
      if (id !== 'b') {
        throw new UserError('It is gone.');
      }
      return { name: 'V1 + other', files: V1, run: 'b' };
    },
  } as unknown as KeptAdapters;
  return { bases, files: new RunFiles(kept, bases, cache, small as unknown as KeptInputs) };
}

it('a run that is run again names the base in the cache by itself', async () => {
  const { bases, files } = filesOf(run(), true);
  const found = await files.startedWith(run());
  expect(found).toEqual({
    base: { name: 'qwen', files: [], run: 'a', handle: HANDLE },
    source: { name: 'v1', files: V1, handle: undefined },
    train: { file: ROWS, handle: undefined, columns: { instruction: 'q' } },
  });
  expect(await bases.resolved(found.base!)).toMatchObject({ name: 'qwen', opened: FOLDER });
});

it('it names the adapter of a run by that, and leaves out what is gone', async () => {
  const source = async (sourceRun: string) => {
    const record = run({ sourceRun, handles: {} });
    return (await filesOf(record, undefined).files.startedWith(record)).source;
  };
  expect(await source('b')).toEqual({ name: 'V1 + other', files: [], run: 'b', step: undefined });
  expect(await source('c')).toBeUndefined();
});

it('a base that the cache has in another form must be chosen', async () => {
  const { bases } = filesOf(run(), true);
  const base = { name: 'qwen', files: [], run: 'a' };
  const inputs = (useDoubleQuant: boolean) =>
    ({ base, recipe: { ...defaultRecipe(), quantization: { useDoubleQuant } } }) as unknown as ChosenInputs;
  expect((await bases.inputs(inputs(true))).base).toMatchObject({ opened: FOLDER });
  await expect(bases.inputs(inputs(false))).rejects.toThrow(
    'qwen: the browser does not keep this base in the form that is wanted now; choose its folder.',
  );
  await expect(bases.resolved({ ...base, run: 'gone' })).rejects.toThrow(UserError);
});
