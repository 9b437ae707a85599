import { beforeAll, describe, expect, it } from 'vitest';
import { runFolder } from '../../../src/cli/run-folder.ts';
import { takenFiles } from '../../../src/engine/runs/export.ts';
import { readAll } from '../../../src/formats/byte-source.ts';
import { sha256Chunks } from '../../../src/formats/sha256.ts';
import { readCursor, verifyFiles } from '../../../src/run/checkpoint/checkpoint.ts';
import { type Take, type Taken, takeStep } from '../../../src/run/take.ts';
import { BrowserRunStore } from '../../../src/storage/browser-run-store.ts';
import { openDatabase } from '../../../src/storage/database.ts';
import { BrowserProfile } from '../../support/fault-page.ts';
import { fixtureFiles, type MemoryFiles, memoryFolder } from '../../support/memory-folder.ts';

const RUN = 'tests/fixtures/run';
/** The fixture's checkpoint, as it was before there were cards to write from checkpoints. */
const old = fixtureFiles('run/checkpoint-2');
const decode = (files: MemoryFiles, name: string) => new TextDecoder().decode(files[name] as Uint8Array);
const json = (files: MemoryFiles, name: string) => JSON.parse(decode(files, name)) as Record<string, unknown>;
const encode = (text: string) => new TextEncoder().encode(text);

/** A checkpoint like the fixture's at another step, with these evaluations behind it. */
async function checkpoint(step: number, losses: Readonly<Record<number, number>>): Promise<MemoryFiles> {
  const state = json(old, 'trainer_state.json');
  const log_history = Object.entries(losses)
    .filter(([at]) => Number(at) <= step)
    .map(([at, loss]) => ({ step: Number(at), epoch: Number(at), eval_loss: loss }));
  const trainer = encode(JSON.stringify({ ...state, global_step: step, log_history }));
  const cursor = json(old, 'retune_state.json');
  const hashes = cursor.files as Record<string, string>;
  const card = {
    family: 'qwen2',
    source: 'v1',
    train: { name: 'train.jsonl', rows: 13, trainedTokens: 99 },
    validation: { name: 'val.jsonl', rows: 4 },
  };
  const identity = { ...(cursor.identity as object), source: 'a'.repeat(64) };
  const files = { ...hashes, 'trainer_state.json': await sha256Chunks([trainer]) };
  return {
    ...old,
    'trainer_state.json': trainer,
    'retune_state.json': encode(JSON.stringify({ ...cursor, identity, step, baseline: 0.9, card, files })),
  };
}

const LOSSES = { 2: 0.7, 4: 0.5, 6: 0.6 };
const saved = new Map<number, MemoryFiles>();
const stopped = {
  name: 'v2',
  checkpoints: () => Promise.resolve([...saved.keys()]),
  openCheckpoint: (step: number) => Promise.resolve(memoryFolder(`v2/checkpoint-${step}`, saved.get(step)!)),
  openResult: () => Promise.resolve(memoryFolder('v2', {})),
};

beforeAll(async () => {
  for (const step of [2, 4, 6]) {
    saved.set(step, await checkpoint(step, LOSSES));
  }
});

async function bytesOf({ files }: Pick<Taken, 'files'>): Promise<MemoryFiles> {
  const read = [...files].map(async ([name, source]) => [name, await readAll(source)] as const);
  return Object.fromEntries(await Promise.all(read));
}

describe('taking a step of a run', () => {
  it.each([
    ['best', 4],
    ['last', 6],
    [2, 2],
  ] as [Take, number][])('%s is step %i', async (take, step) => {
    expect((await takeStep(stopped, take)).step).toBe(step);
  });

  it('makes a result of it, with a card that says which step it is', async () => {
    const files = await bytesOf(await takeStep(stopped, 'best'));
    expect(Object.keys(files)).toEqual([
      'adapter_model.safetensors',
      'adapter_config.json',
      'README.md',
      'trainer_state.json',
      'training_config.yaml',
      'retune_state.json',
    ]);
    expect(files['adapter_model.safetensors']).toEqual(
      new Uint8Array(old['adapter_model.safetensors'] as Uint8Array),
    );
    const folder = memoryFolder('taken', files);
    expect(await verifyFiles(folder)).toMatchObject({ step: 4, taken: true, baseline: 0.9 });
    const card = decode(files, 'README.md');
    expect(card).toMatch(/\| taken at step \| 4 of \d+ \|/);
    expect(card).toContain('| continued from | v1 (SHA-256 ');
    expect(card).toContain('train.jsonl: 13 rows, 99 trained tokens');
    expect(card).toContain('| 0 | 0.00 | validation loss | 0.9000 |');
    expect(card).toContain('| 4 | 4.00 | validation loss | 0.5000 |');
    expect(card).not.toContain('0.6000');
  });

  it('writes what is known of a checkpoint of an earlier version', async () => {
    const { step, files } = await takeStep(runFolder(RUN), 2);
    expect(step).toBe(2);
    const card = decode(await bytesOf({ files }), 'README.md');
    expect(card).toMatch(/\| training data \| SHA-256 [0-9a-f]{64} \|/);
  });

  it('takes the result of a finished run, which has no checkpoint of that step', async () => {
    const { step } = await readCursor(memoryFolder('v2', fixtureFiles('run')));
    expect((await takeStep(runFolder(RUN), 'last')).step).toBe(step);
  });

  it('gives the same bytes from the browser’s database', async () => {
    const profile = new BrowserProfile();
    await profile.contents();
    const store = openDatabase('retune', { factory: profile.databases[0] });
    const browser = new BrowserRunStore(store, 'a-run', 'a run');
    for (const [step, files] of saved) {
      const chunks = Object.entries(files).map(([name, bytes]) => [name, [bytes as Uint8Array]]);
      await browser.saveCheckpoint(step, Object.fromEntries(chunks) as Record<string, Uint8Array[]>);
    }
    const page = await takenFiles(browser, 'best');
    const files = new Map(page.map(({ path, source }) => [path, source]));
    expect(await bytesOf({ files })).toEqual(await bytesOf(await takeStep(stopped, 'best')));
  });

  it.each([
    [5, 'v2: step 5 is not kept, expected one of 2, 4, 6; take one of these, the best or the last.'],
    [99, 'v2: step 99 is not kept'],
  ])('refuses step %i', async (take, sentence) => {
    await expect(takeStep(stopped, take)).rejects.toThrow(sentence);
  });

  it('refuses a run without anything to take, or to judge by', async () => {
    const empty = { ...stopped, checkpoints: () => Promise.resolve([]) };
    await expect(takeStep(empty, 'last')).rejects.toThrow('v2: there is no checkpoint and no result to take');
    const files = await checkpoint(3, {});
    const unjudged = {
      ...stopped,
      checkpoints: () => Promise.resolve([3]),
      openCheckpoint: () => Promise.resolve(memoryFolder('v2/checkpoint-3', files)),
    };
    await expect(takeStep(unjudged, 'best')).rejects.toThrow('v2: no step that is kept (3) was evaluated');
  });

  it('refuses a broken checkpoint by name', async () => {
    const files = { ...saved.get(4)!, 'adapter_model.safetensors': new Uint8Array(8) };
    const broken = {
      ...stopped,
      openCheckpoint: () => Promise.resolve(memoryFolder('v2/checkpoint-4', files)),
    };
    await expect(takeStep(broken, 4)).rejects.toThrow(
      'v2/checkpoint-4: adapter_model.safetensors has SHA-256',
    );
  });
});
