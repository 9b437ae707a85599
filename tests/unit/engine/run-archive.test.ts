import { describe, expect, it } from 'vitest';
import { MAX_LOG_ENTRIES, MAX_NAME, MAX_NOTE } from '../../../src/engine/runs/archived-run.ts';
import { readArchive } from '../../../src/engine/runs/read-archive.ts';
import { archiveRun } from '../../../src/engine/runs/run-archive.ts';
import type { Runs } from '../../../src/engine/runs/runs.ts';
import { defaultRecipe } from '../../../src/formats/recipe.ts';
import { sha256Chunks } from '../../../src/formats/sha256.ts';
import { encodeUtf8 } from '../../../src/formats/utf8.ts';
import type { RunRecords, StoredRun } from '../../../src/storage/run-records.ts';

const hash = 'a'.repeat(64);
const identity = { base: hash, source: 'none', train: hash, validation: 'none', tokens: hash, recipe: hash };
const entry = { step: 1, epoch: 0.5, loss: 2.5 };
const run: StoredRun = {
  id: '01234567-89ab-4cde-8f01-23456789abcd',
  name: 'V2 of <b>\u202e',
  created: 5,
  status: 'unfinished',
  stopped: true,
  step: 1,
  maxSteps: 2,
  recipe: defaultRecipe(),
  inputs: { base: 'base', source: undefined, train: 'train.jsonl', validation: undefined },
  handles: {},
  note: 'a\nb',
  precision: 'auto',
  columns: { train: { instruction: 'Question, long', output: 'Answer' }, validation: { text: 'Body' } },
  changes: { train: { of: hash, leftOut: [3], edited: [[12, '{"a": 1.0}']] }, validation: undefined },
  identity,
  log: [entry, { ...entry, step: 2, grad_norm: NaN }],
};

/** A browser that holds the run with a checkpoint. */
async function browser(change: Partial<StoredRun>, more: readonly [string, unknown][] = []): Promise<Runs> {
  const weights = encodeUtf8('weights');
  const hashes = { weights: await sha256Chunks([weights]) };
  const cursor = { step: 1, identity, plan: {}, logWindow: {}, files: hashes };
  const files: [string, unknown][] = [
    ['checkpoint/1/retune_state.json', new Blob([JSON.stringify(cursor)])],
    ['checkpoint/1/weights', new Blob([weights])],
    ['manifest/1', { step: 1, files: {}, bytes: 1, loss: 2.5, rescue: true }],
    ...more,
  ];
  const records = {
    files: (id: string) => Promise.resolve(files.map(([key, value]) => [`run/${id}/${key}`, value])),
  };
  return { record: () => Promise.resolve({ ...run, ...change }), records } as unknown as Runs;
}

const archived = async (change: Partial<StoredRun> = {}, more?: readonly [string, unknown][]) =>
  archiveRun(await browser(change, more), run.id);

describe('archiveRun', () => {
  it('packs a run that another browser reads as the same', async () => {
    const file = new File([await archived()], 'run.zip');
    const empty = { get: () => Promise.resolve(undefined) } as unknown as RunRecords;
    const { record, files } = await readArchive(empty, file, {}, () => Promise.resolve(1e9));
    expect(record).toEqual({ ...run, imported: true });
    const kept = new Map(files);
    expect([...kept.keys()]).toEqual([
      'checkpoint/1/retune_state.json',
      'checkpoint/1/weights',
      'manifest/1',
    ]);
    expect(kept.get('manifest/1')).toMatchObject({ step: 1, loss: 2.5, rescue: true });
  });

  it('takes the corrections along that wait at the run, and those that it was trained on', async () => {
    const corrections = [{ question: 'a?', was: 'b', answer: 'c\u202e', version: 'V2', changed: 1 }];
    const lists: [string, unknown][] = [
      ['corrections', corrections],
      ['corrected', []],
    ];
    const empty = { get: () => Promise.resolve(undefined) } as unknown as RunRecords;
    const read = async (more: [string, unknown][]) => {
      const file = new File([await archived({}, more)], 'run.zip');
      return new Map((await readArchive(empty, file, {}, () => Promise.resolve(1e9))).files);
    };
    const kept = await read(lists);
    expect(kept.get('corrections')).toEqual(corrections);
    expect(kept.get('corrected')).toEqual([]);
    await expect(read([['corrections', [{ ...corrections[0], answer: 3 }]]])).rejects.toThrow(
      'run.zip, corrections: [0].answer is 3, expected text; choose a zip that Retune has exported, or export it again.',
    );
  });

  it('tells how far it is, and ends where it is canceled', async () => {
    const told: number[] = [];
    await archiveRun(await browser({}), run.id, { onProgress: (done, total) => told.push(done / total) });
    expect(told.at(-1)).toBe(1);
    const cancel = new AbortController();
    const following = { signal: cancel.signal, onProgress: () => cancel.abort('canceled') };
    await expect(archiveRun(await browser({}), run.id, following)).rejects.toBe('canceled');
  });

  it('refuses what could not be taken out again, and says what to do', async () => {
    await expect(archived({ name: 'n'.repeat(MAX_NAME + 1) })).rejects.toThrow(
      /^n{100}…n{100} \(1,001 characters\): its name has 1001 characters; shorten it to 1000 first\.$/,
    );
    await expect(archived({ note: 'n'.repeat(MAX_NOTE + 1) })).rejects.toThrow(
      'its note has 20001 characters; shorten it to 20000 first.',
    );
    await expect(archived({ log: Array(MAX_LOG_ENTRIES + 1).fill(entry) })).rejects.toThrow(
      'its log has 400001 entries, more than the 400000 that an archive holds; download the result and single checkpoints instead.',
    );
    const many = Array.from({ length: 10_000 }, (_, i): [string, unknown] => [`logs/${i}`, new Blob()]);
    await expect(archived({}, many)).rejects.toThrow(
      'it has 10,003 files, more than the 10000 that an archive',
    );
  });
});
