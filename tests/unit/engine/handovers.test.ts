import { readFileSync } from 'node:fs';
import { unzipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { Handovers } from '../../../src/engine/exports/handovers.ts';
import type { KeptAdapters } from '../../../src/engine/files/kept-adapters.ts';
import type { HandoverFiles } from '../../../src/engine/protocol/handover.ts';
import type { KeptRuns } from '../../../src/engine/runs/kept-runs.ts';
import { parseOwnRecipe } from '../../../src/formats/recipe.ts';
import { UNREAD } from '../../../src/storage/run-records.ts';
import { handedOver } from '../../support/handover.ts';
import { fixtureFiles } from '../../support/memory-folder.ts';
import { casePath } from '../../support/model-case.ts';

const chosen = (path: string) => ({
  name: path,
  files: Object.entries(fixtureFiles(`cases/batch2/${path}`)).map(
    ([file, content]) => new File([content as Uint8Array<ArrayBuffer>], file),
  ),
});
const rows = (name: string) => ({ file: new File([readFileSync(casePath('batch2', name))], name) });
const files: HandoverFiles = {
  base: chosen('base'),
  source: chosen('v1'),
  train: rows('train.jsonl'),
  validation: rows('val.jsonl'),
};

const hash = '0'.repeat(64);
const record = {
  name: 'V2',
  created: 0,
  status: 'unfinished',
  inputs: { base: 'toy', source: 'v1', train: 'train.jsonl', validation: 'val.jsonl' },
  identity: { base: UNREAD, source: hash, train: hash, validation: hash, tokens: hash, recipe: hash },
  recipe: parseOwnRecipe(readFileSync(casePath('batch2', 'training_config.yaml'), 'utf8'), 'recipe'),
};
/** A browser that has this run, a checkpoint of it, and no base. */
const handovers = (changed: object = {}) =>
  new Handovers(
    {
      record: async () => ({ ...record, ...changed }),
      storeOf: () => ({ checkpoints: async () => [2, 4] }),
    } as unknown as KeptRuns,
    { open: async () => chosen('expected/v2') } as unknown as KeptAdapters,
    { of: async () => undefined },
  );
const unzipped = async (zip: Promise<Blob>) => unzipSync(new Uint8Array(await (await zip).arrayBuffer()));

describe('a run of the browser, handed over', () => {
  it('is what the command line writes', async () => {
    const progress: number[] = [];
    const onProgress = (done: number, total: number) => progress.push(done / total);
    const zip = await unzipped(handovers().zip('run', files, 'source', { onProgress }));
    const { files: expected } = await handedOver('batch2');
    expect(Object.keys(zip)).toEqual([...expected.keys()].map((path) => `handover/${path}`));
    // Names of files on a disk differ in the card only.
    for (const path of ['train.py', 'handover.json', 'README.md', 'rows/train.parquet', 'axolotl.yaml']) {
      expect(new Uint8Array(zip[`handover/${path}`]!)).toEqual(expected.get(path));
    }
    expect(progress.at(-1)).toBe(1);
  });

  it('starts from its last checkpoint where that is wanted', async () => {
    const zip = await unzipped(handovers().zip('run', files, 'latest'));
    expect(new Uint8Array(zip['handover/adapter/adapter_model.safetensors']!)).toEqual(
      new Uint8Array(readFileSync(casePath('batch2', 'expected/v2/adapter_model.safetensors'))),
    );
    expect(new TextDecoder().decode(zip['handover/README.md'])).toContain('the adapter of checkpoint 4');
  });

  it.each([
    [
      'a base that the browser has no way to',
      {},
      { base: undefined },
      'toy: this browser keeps no way to the base',
    ],
    [
      'an adapter that it has no way to',
      {},
      { source: undefined },
      'v1: this browser keeps no way to this adapter',
    ],
    [
      'other rows than those of the run',
      { identity: { ...record.identity, base: hash } },
      {},
      'V2: these are not the files that the run was started with',
    ],
  ])('%s: one sentence', async (_, changed, given, sentence) => {
    await expect(handovers(changed).zip('run', { ...files, ...given }, 'source')).rejects.toThrow(sentence);
  });

  it('can be canceled', async () => {
    const signal = AbortSignal.abort('canceled');
    await expect(handovers().zip('run', files, 'source', { signal })).rejects.toBe('canceled');
  });
});
