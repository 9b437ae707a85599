import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OutputLock } from '../../../src/cli/output-lock.ts';
import { retuneHere } from '../../support/cli-here.ts';

const CASE = 'tests/fixtures/cases/batch2';
let work: string;
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'retune-handover-'));
});
afterEach(() => rmSync(work, { recursive: true }));

/** An undefined option is left out. */
const run = (args: Record<string, string | undefined> = {}) =>
  retuneHere([
    'handover',
    ...Object.entries({
      base: `${CASE}/base`,
      'source-model': `${CASE}/v1`,
      'train-data': `${CASE}/train.jsonl`,
      'val-data': `${CASE}/val.jsonl`,
      config: `${CASE}/training_config.yaml`,
      output: join(work, 'out'),
      ...args,
    }).flatMap(([key, value]) => (value === undefined ? [] : [`--${key}`, value])),
  ]);

describe('retune handover', () => {
  it('tells the size and writes a folder', async () => {
    const { code, stdout, stderr } = await run();
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /\n16 files, \d+ KiB: .*out\nwriting\nIt starts from V1\. Its README\.md has the commands\.\n$/,
    );
    expect(readdirSync(join(work, 'out')).toSorted()).toEqual([
      'README.md',
      'accelerate',
      'adapter',
      'axolotl.yaml',
      'card.md',
      'handover.json',
      'requirements.txt',
      'rows',
      'skypilot.yaml',
      'slurm.sh',
      'train.py',
      'training_config.yaml',
    ]);
    expect(readdirSync(work)).toEqual(['out']);
  });

  it('refuses a folder where another hand-over writes', async () => {
    const lock = OutputLock.beside(join(work, 'out'), 'hand-over');
    await lock.take();
    const { code, stderr } = await run();
    lock.release();
    expect(code).toBe(2);
    expect(stderr).toMatch(/out: another hand-over writes there, process \d+ on the host/);
    expect(readdirSync(work)).toEqual([]);
  });

  it('hands the same folder over twice, byte for byte', async () => {
    await run({ 'source-model': 'none' });
    const read = (path: string) => readFileSync(join(work, 'out', path));
    const files = ['adapter/adapter_model.safetensors', 'rows/train.parquet', 'handover.json', 'card.md'];
    const first = files.map(read);
    rmSync(join(work, 'out'), { recursive: true });
    expect((await run({ 'source-model': 'none' })).stdout).toContain('It starts from a fresh adapter.');
    expect(files.map(read)).toEqual(first);
  });

  it.each([
    ['no adapter', { 'source-model': undefined }, "required option '--source-model <folder>' not specified"],
    ['neither base nor a name that is there', { base: undefined }, "required option '--base <folder>'"],
    [
      'GPUs that cannot share a step',
      { gpus: '2' },
      'gradient_accumulation_steps is 3, which 2 GPUs cannot share',
    ],
    ['an output in the base', { output: `${CASE}/base/out` }, 'lies inside the base model'],
    [
      'rows that are not there',
      { 'train-data': 'nowhere.jsonl' },
      'nowhere.jsonl: no such file; check the path.',
    ],
    [
      'a run and a recipe',
      { run: CASE },
      "option '--run <folder>' cannot be used with option '--config <file>'",
    ],
    [
      'a folder that is no run',
      { run: CASE, config: undefined },
      `${CASE}: neither retune_state.json nor a checkpoint is there, expected the output folder of a run`,
    ],
    [
      'an adapter of another base',
      { 'source-model': 'tests/fixtures/cases/qwen3/v1' },
      'belongs to another base',
    ],
  ])('%s: one sentence', async (_, args, sentence) => {
    const { code, stderr } = await run(args);
    expect(stderr).toContain(sentence);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(code).toBe(2);
    expect(readdirSync(work)).toEqual([]);
  });

  it('a folder with something in it: one sentence, and it stays', async () => {
    writeFileSync(join(work, 'kept'), '');
    const { code, stderr } = await run({ output: work });
    expect(stderr).toContain('this folder holds something already, expected a new or an empty one');
    expect(code).toBe(2);
    expect(readdirSync(work)).toEqual(['kept']);
  });
});
