import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  type StatsFs,
  writeFileSync,
} from 'node:fs';
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { OutputLock } from '../../../src/cli/output-lock.ts';
import { writeExportFolder } from '../../../src/cli/write-export.ts';
import { type OutputFile, textOutput } from '../../../src/export/output-file.ts';
import { retuneHere } from '../../support/cli-here.ts';

const CASES = 'tests/fixtures/cases';
let work: string;
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'retune-export-'));
});
afterEach(() => rmSync(work, { recursive: true }));

const run = (args: Record<string, string>) =>
  retuneHere([
    'export',
    ...Object.entries({
      base: `${CASES}/batch2/base`,
      model: `${CASES}/batch2/v1`,
      output: join(work, 'out'),
      ...args,
    }).flatMap(([key, value]) => [`--${key}`, ...(value === '' ? [] : [value])]),
  ]);

describe('retune export', () => {
  it('tells the size and writes a folder', async () => {
    const { code, stdout, stderr } = await run({ type: 'f32' });
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^7 files, \d+ KiB: .*out\n/);
    expect(readdirSync(join(work, 'out')).toSorted()).toEqual([
      'README.md',
      'chat_template.jinja',
      'config.json',
      'generation_config.json',
      'model.safetensors',
      'tokenizer.json',
      'tokenizer_config.json',
    ]);
    expect(readFileSync(join(work, 'out/config.json'), 'utf8')).toContain('"dtype": "float32"');
  });

  it.each([
    ['gguf', 'q4_k_m'],
    ['gguf-lora', 'f16'],
  ])('writes %s as one file, over an earlier one', async (to, type) => {
    const output = join(work, 'v2.gguf');
    writeFileSync(output, 'earlier');
    const { code, stdout } = await run({ to, type, output });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^(?:Note: .*\n)?1 file, /);
    expect(readFileSync(output).subarray(0, 4).toString()).toBe('GGUF');
    expect(readdirSync(work)).toEqual(['v2.gguf']);
  });

  it.each([
    [
      'an adapter of another base',
      { model: `${CASES}/qwen3/v1` },
      'the adapter belongs to another base, so choose that base.',
    ],
    [
      'an unknown type',
      { type: 'q3_k' },
      "option '--type <type>' argument 'q3_k' is invalid: allowed choices are",
    ],
    [
      'a type that the form cannot have',
      { type: 'q8_0' },
      'retune export: merged has the types bf16, f16, f32, and q8_0 is none of these; choose another --type, or --to gguf.',
    ],
    [
      'weights to merge onto where nothing is merged',
      { to: 'gguf-lora', onto: 'nf4' },
      'gguf-lora holds the adapter alone',
    ],
    ['a folder where a file is expected', { to: 'gguf', output: tmpdir() }, 'found a folder'],
    ['an output in the base', { output: `${CASES}/batch2/base/out` }, 'lies inside the base model'],
    [
      'the adapter as output',
      { output: `${CASES}/batch2/v1` },
      'the output is also the adapter, which is never written to; choose another --output.',
    ],
    ['a folder with something in it', { output: CASES }, 'holds the base model'],
    ['no base', { base: '/nowhere' }, '/nowhere: no such folder; check the path.'],
  ])('refuses %s by one sentence', async (_, args, sentence) => {
    const { code, stderr } = await run(args);
    expect(stderr).toContain(sentence);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(code).toBe(2);
    expect(existsSync(join(work, 'out'))).toBe(false);
  });

  it('knows the base that a result was trained on, and merges onto another only if told to', async () => {
    const base = join(work, 'base');
    cpSync(`${CASES}/batch2/base`, base, { recursive: true });
    const model = 'tests/fixtures/run';
    expect(await run({ base, model })).toMatchObject({ code: 0, stderr: '' });
    rmSync(join(work, 'out'), { recursive: true });
    appendFileSync(join(base, 'tokenizer_config.json'), ' ');
    const { code, stderr } = await run({ base, model });
    expect(stderr).toMatch(
      /^tests\/fixtures\/run: trained on another base than .*base \(SHA-256 [0-9a-f]{12}… by retune_state\.json, found [0-9a-f]{12}….*\); name the base it was trained on, or use --other-base if this one is meant\.\n$/,
    );
    expect(code).toBe(2);
    expect(await run({ base, model, 'other-base': '' })).toMatchObject({ code: 0, stderr: '' });
  });

  it.each([
    ['an adapter', { to: 'adapter' }, 'an adapter is not merged, so --val-data has nothing to compare'],
    ['gguf-lora', { to: 'gguf-lora' }, 'gguf-lora merges nothing, so --val-data has nothing to compare'],
    ['rows that are not there', { to: 'gguf', type: 'bf16', 'val-data': 'none.jsonl' }, 'none.jsonl'],
  ])('refuses to evaluate %s', async (_, args, message) => {
    const rows = `${CASES}/batch2/val.jsonl`;
    const { code, stderr } = await run({ output: join(work, 'out'), 'val-data': rows, ...args });
    expect(stderr).toContain(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(code).toBe(2);
    expect(readdirSync(work)).toEqual([]);
  });

  it.each([
    ['merged', 'out'],
    ['gguf', 'v2.gguf'],
  ])('refuses %s where another export writes', async (to, name) => {
    const output = join(work, name);
    const lock = OutputLock.beside(output, 'export');
    await lock.take();
    const { code, stderr } = await run({ to, output });
    expect(stderr).toMatch(
      /: another export writes there, process \d+ on the host ".*" since \S+; wait for it, stop it, or choose another --output\.\n$/,
    );
    expect(code).toBe(2);
    expect(readdirSync(work)).toEqual([`.${name}.retune.lock`]);
    lock.release();
    expect(await run({ to, output })).toMatchObject({ code: 0, stderr: '' });
    expect(readdirSync(work)).toEqual([name]);
  });

  it.each([
    ['it writes', {}],
    ['it evaluates', { 'val-data': `${CASES}/batch2/val.jsonl` }],
  ])('refuses what the disk has no room for before %s', async (_, more: Record<string, string>) => {
    vi.spyOn(promises, 'statfs').mockResolvedValue({ blocks: 100, bavail: 1, bsize: 512 } as StatsFs);
    syncBuiltinESMExports();
    const { code, stderr } = await run(more);
    vi.restoreAllMocks();
    syncBuiltinESMExports();
    expect(stderr).toMatch(
      /out: \d+ KiB are to be written and 512 bytes are free; make room there or choose another --output\.\n$/,
    );
    expect(code).toBe(2);
    expect(readdirSync(work)).toEqual([]);
  });

  it('refuses a folder that holds something, and a base without a tokenizer', async () => {
    mkdirSync(join(work, 'out'));
    writeFileSync(join(work, 'out/mine'), '');
    expect((await run({})).stderr).toContain(
      'this folder holds something already, expected a new or an empty one',
    );
    rmSync(join(work, 'out'), { recursive: true });
    const base = join(work, 'base');
    mkdirSync(base);
    for (const name of ['config.json', 'model.safetensors']) {
      writeFileSync(join(base, name), readFileSync(`${CASES}/batch2/base/${name}`));
    }
    expect((await run({ base })).stderr).toContain('tokenizer.json is missing');
    expect(readdirSync(work)).toEqual(['base']);
  });
});

describe('an export that does not end', () => {
  const failing = (error: unknown): OutputFile => ({
    path: 'model.safetensors',
    bytes: 8,
    chunks: async function* () {
      yield new Uint8Array(4);
      await Promise.reject(error);
    },
  });
  const writing = { signal: new AbortController().signal, onProgress: () => undefined };

  it.each([
    [
      'a full disk',
      Object.assign(new Error('ENOSPC'), { code: 'ENOSPC', syscall: 'write' }),
      'the disk is full: 12 bytes were to be written',
    ],
    ['a base that cannot be read', new Error('broken'), 'broken'],
  ])('leaves nothing behind: %s', async (_, error, sentence) => {
    const place = join(work, 'out');
    const files = [textOutput('a', 'text'), failing(error)];
    await expect(writeExportFolder(place, files, writing)).rejects.toThrow(sentence);
    expect(readdirSync(work)).toEqual([]);
  });

  it('leaves nothing behind when it is stopped, and clears up after a process that is gone', async () => {
    const controller = new AbortController();
    const place = join(work, 'out');
    mkdirSync(join(work, '.out.999999999.partial'));
    const files = [textOutput('a', 'text'), textOutput('b', 'text')];
    const stopped = writeExportFolder(place, files, {
      signal: controller.signal,
      onProgress: () => controller.abort(new Error('stopped')),
    });
    await expect(stopped).rejects.toThrow('stopped');
    expect(readdirSync(work)).toEqual([]);
  });
});
