import { zipSync, type Zippable } from 'fflate';
import { describe, expect, it } from 'vitest';
import { defaultRecipe, recipeToYaml } from '../../../src/formats/recipe.ts';
import { sha256Chunks } from '../../../src/formats/sha256.ts';
import { encodeUtf8 } from '../../../src/formats/utf8.ts';
import { adapterHash } from '../../../src/run/identity.ts';
import type { RunRecords, StoredRun } from '../../../src/storage/run-records.ts';
import { importRun } from '../../../src/worker/run-archive.ts';
import { memoryFolder } from '../../support/memory-folder.ts';

const hash = (character: string) => character.repeat(64);
const identity = {
  base: hash('a'),
  source: hash('b'),
  train: hash('c'),
  validation: 'none',
  tokens: hash('d'),
  recipe: hash('e'),
};
const adapter = {
  'adapter_config.json': encodeUtf8('{}'),
  'adapter_model.safetensors': encodeUtf8('weights'),
};
const json = (value: unknown) => encodeUtf8(JSON.stringify(value));

/** A folder of a run with its hashes beside it. */
async function sound(prefix: string, files: Record<string, Uint8Array>, own = identity): Promise<Zippable> {
  const hashes: Record<string, string> = {};
  for (const [name, bytes] of Object.entries(files)) hashes[name] = await sha256Chunks([bytes]);
  const cursor = json({ step: 2, identity: own, plan: {}, logWindow: {}, files: hashes });
  const all = Object.entries({ ...files, 'retune_state.json': cursor });
  return Object.fromEntries(all.map(([name, bytes]) => [prefix + name, bytes]));
}

const record = async (): Promise<Record<string, unknown>> => ({
  id: '01234567-89ab-4cde-8f01-23456789abcd',
  name: 'V2',
  created: 5,
  status: 'finished',
  stopped: false,
  step: 2,
  maxSteps: 2,
  recipe: recipeToYaml(defaultRecipe()),
  inputs: { base: 'base', source: 'v1', train: 'train.jsonl' },
  identity,
  resultHash: await adapterHash(memoryFolder('result', adapter)),
  log: [{ step: 1, loss: 2.5 }],
});

async function archive(change: Record<string, unknown> = {}): Promise<Zippable> {
  return {
    'retune-run.json': json({ ...(await record()), ...change }),
    ...(await sound('result/', adapter)),
    ...(await sound('checkpoint/2/', { ...adapter, 'optimizer.safetensors': encodeUtf8('state') })),
    'manifest/2': json({ step: 2, files: {}, bytes: 9 }),
    'logs/events.out': encodeUtf8('log'),
  };
}

/** The runs of a browser that is not there. */
function records(existing?: StoredRun) {
  const restored: { record: StoredRun; files: ReadonlyMap<string, unknown> }[] = [];
  const fake = {
    get: () => Promise.resolve(existing),
    restore: (record: StoredRun, files: readonly (readonly [string, unknown])[]) => {
      restored.push({ record, files: new Map(files) });
      return Promise.resolve();
    },
  };
  return { restored, records: fake as unknown as RunRecords };
}

const zip = (files: Zippable) =>
  new File([zipSync(files, { level: 1 }) as Uint8Array<ArrayBuffer>], 'v2.zip');

const without = (files: Zippable, begin: string): Zippable =>
  Object.fromEntries(Object.entries(files).filter(([path]) => !path.startsWith(begin)));

describe('importRun', () => {
  it('takes a run with its files, and marks it as imported and at rest', async () => {
    const { records: to, restored } = records();
    expect(await importRun(to, zip(await archive()))).toEqual({
      id: '01234567-89ab-4cde-8f01-23456789abcd',
      name: 'V2',
    });
    const [{ record: kept, files }] = restored as [(typeof restored)[0]];
    expect(kept).toMatchObject({ name: 'V2', imported: true, stopped: true, handles: {}, identity });
    expect(kept.recipe).toEqual(defaultRecipe());
    expect(files.get('manifest/2')).toEqual({ step: 2, files: {}, bytes: 9 });
    expect(await (files.get('result/adapter_model.safetensors') as Blob).text()).toBe('weights');
    expect(files.size).toBe(9);
  });

  it.each<[string, (files: Zippable) => Promise<Zippable> | Zippable, string]>([
    [
      'a path that leads elsewhere',
      (files) => ({ ...files, '../evil': encodeUtf8('x') }),
      'it holds "../evil", which is no file of a run',
    ],
    [
      'a path that leads elsewhere from a folder',
      (files) => ({ ...files, 'result/../../x': encodeUtf8('x') }),
      'it holds "result/../../x", which is no file of a run',
    ],
    [
      'no record',
      (files) => without(files, 'retune-run.json'),
      'there is no retune-run.json in it, so it is not an exported run',
    ],
    ['no result of a finished run', (files) => without(files, 'result/'), 'the result of its run is missing'],
    [
      'changed weights',
      (files) => ({ ...files, 'checkpoint/2/adapter_model.safetensors': encodeUtf8('Weights') }),
      'checkpoint/2: adapter_model.safetensors has SHA-256 ',
    ],
    [
      'a checkpoint of another run',
      async (files) => ({
        ...files,
        ...(await sound('checkpoint/2/', adapter, { ...identity, train: hash('f') })),
      }),
      'checkpoint/2 in it is of another run (it differs in the training data)',
    ],
    [
      'a record of another result',
      () => archive({ resultHash: hash('9') }),
      'the result in it is not the one',
    ],
    [
      'a record with a strange id',
      () => archive({ id: 'x/../y' }),
      'retune-run.json does not hold what Retune writes',
    ],
    [
      'a record without its hashes',
      () => archive({ identity: { base: 'x' } }),
      'retune-run.json does not hold',
    ],
    [
      'a record that is no record',
      (files) => ({ ...files, 'retune-run.json': json([1]) }),
      'retune-run.json does not',
    ],
  ])('refuses %s', async (_, change, sentence) => {
    const { records: to, restored } = records();
    const told = await importRun(to, zip(await change(await archive()))).catch(
      (error: Error) => error.message,
    );
    expect(told).toContain(`v2.zip: ${sentence}`);
    expect(told).toMatch(/; choose a zip that Retune has exported, or export it again\.$/);
    expect(restored).toEqual([]);
  });

  it('refuses a run that is here already', async () => {
    const { records: to } = records({ name: 'my V2' } as StoredRun);
    await expect(importRun(to, zip(await archive()))).rejects.toThrow(
      'v2.zip: this run is in the browser already, as my V2; delete that one first.',
    );
  });
});
