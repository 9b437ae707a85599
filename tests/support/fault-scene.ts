import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Command } from 'commander';
import { expect, vi } from 'vitest';
import { batchTestCommand } from '../../src/cli/commands/batch-test.ts';
import { compareCommand } from '../../src/cli/commands/compare.ts';
import { exportCommand } from '../../src/cli/commands/export.ts';
import { finetuneCommand } from '../../src/cli/commands/finetune.ts';
import { eventHeader, scalarEvent } from '../../src/formats/event-file.ts';
import type { LogEntry } from '../../src/formats/trainer-state.ts';
import { UserError } from '../../src/formats/user-error.ts';
import { expectSame } from './compare-maps.ts';
import { type Fault, injectFaults } from './faults.mjs';
import { joinBytes } from './memory-folder.ts';
import { comparable } from './run-case.ts';
import { Scene } from './scene.ts';

// The command line runs in this process on a device that computes almost nothing.
vi.mock('webgpu', () => import('./null-webgpu.mjs'));

/** How a command ended. A process that was killed has no code. */
export interface Ended {
  code: number | undefined;
  stdout: string;
  stderr: string;
  /** What it did to files, among the operations that faults count. */
  trace: { op: string; path: string }[];
}

export type Strike = Omit<Fault, 'under'>;

const RECIPE = `model: {name: toy/batch2}
training:
  num_train_epochs: 1.3
  per_device_train_batch_size: 2
  gradient_accumulation_steps: 3
  eval_steps: 2
  logging_steps: 1
  save_steps: 1
  save_total_limit: 2
  max_seq_length: 34
  max_eval_samples: 2
seed: 9
`;

/** Inputs, an output and a cache in a temporary folder, and commands with faults injected there. */
export class FaultScene {
  readonly #scene = new Scene('batch2');

  private constructor() {
    this.#scene.write('training_config.yaml', RECIPE);
    process.env.XDG_CACHE_HOME = this.path('cache');
    process.env.VK_DRIVER_FILES = '/dev/null';
  }

  static async open(): Promise<FaultScene> {
    const scene = new FaultScene();
    // Fewer tensors are fewer writes of the same kind.
    scene.#scene.json('v1/adapter_config.json', { target_modules: ['q_proj'] });
    await scene.#scene.tensors('v1/adapter_model.safetensors', (tensors) =>
      tensors.filter(({ name }) => name.includes('q_proj')),
    );
    return scene;
  }

  path(...parts: string[]): string {
    return this.#scene.path(...parts);
  }

  write(file: string, content: string): void {
    this.#scene.write(file, content);
  }

  /** A fresh start: no output, and no cache. */
  reset(): void {
    for (const name of ['out', 'cache']) {
      rmSync(this.path(name), { recursive: true, force: true });
    }
  }

  /** Moves the output aside. */
  keep(name: string): void {
    renameSync(this.path('out'), this.path(name));
  }

  close(): void {
    this.#scene.close();
  }

  finetune(...more: string[]): string[] {
    return [
      ...this.#scene.finetune({ 'val-data': this.path('val.jsonl'), output: this.path('out/v2') }),
      ...more,
    ];
  }

  /** The path of another recipe. */
  otherRecipe(): string {
    this.#scene.write('other.yaml', RECIPE.replace('seed: 9', 'seed: 10'));
    return this.path('other.yaml');
  }

  compare(): string[] {
    const answers = this.path('out/answers.json');
    return ['compare', answers, answers, '--csv', this.path('out/answers.csv')];
  }

  batchTest(model = 'v1'): string[] {
    return [
      ...['batch-test', '--base', this.path('base'), '--model', this.path(model)],
      ...['--questions', this.path('questions.json'), '--output', this.path('out/answers.json')],
      ...['--max-new-tokens', '2', '--greedy'],
    ];
  }

  /** Into out/merged or out/gguf. */
  export(to: 'merged' | 'gguf'): string[] {
    return [
      ...['export', '--base', this.path('base'), '--model', this.path('v1')],
      ...['--to', to, '--type', 'f16', '--output', this.path('out', to)],
    ];
  }

  /** Runs a command line in this process. */
  async run(args: readonly string[], strike: Strike = {}): Promise<Ended> {
    let code = 0;
    let [stdout, stderr] = ['', ''];
    const program = new Command('retune').exitOverride();
    for (const add of [finetuneCommand, batchTestCommand, exportCommand]) {
      add(program, (c) => (code = c));
    }
    compareCommand(program);
    const listeners = signalListeners();
    const spy = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
      stdout += String(text);
      return true;
    });
    const faults = injectFaults({ under: this.path(), ...strike });
    try {
      await program.parseAsync(args, { from: 'user' });
    } catch (error) {
      code = error instanceof UserError ? 2 : 1;
      stderr = error instanceof UserError ? `${error.message}\n` : `bug: ${String((error as Error).stack)}`;
    } finally {
      faults.undo();
      spy.mockRestore();
      for (const [name, before] of listeners) {
        for (const listener of process.listeners(name)) {
          if (!before.includes(listener)) {
            process.off(name, listener as NodeJS.SignalsListener);
          }
        }
      }
    }
    return { code, stdout, stderr, trace: faults.trace };
  }

  /** Runs a command line in a separate process, which a fault may kill. */
  process(args: readonly string[], strike: Strike = {}): Promise<Ended> {
    const preloads = ['use-null-webgpu.mjs', 'inject-faults.mjs'].map(
      (name) => `--import=${new URL(name, import.meta.url).href}`,
    );
    const env = { ...process.env, FAULTS: JSON.stringify({ under: this.path(), ...strike }) };
    return new Promise((resolve) => {
      execFile(
        process.execPath,
        [...preloads, 'dist/cli/retune.js', ...args],
        { env },
        (error, stdout, stderr) => {
          const code = error?.signal ? undefined : typeof error?.code === 'number' ? error.code : 0;
          resolve({ code, stdout, stderr, trace: [] });
        },
      );
    });
  }

  /** The number of the first, or last, operation whose name and path from this folder on match. */
  place({ trace }: Ended, pattern: RegExp, which: 'first' | 'last' = 'first'): number {
    const matches = ({ op, path }: Ended['trace'][number]) =>
      pattern.test(`${op} ${relative(this.path(), path)}`);
    const at = 1 + (which === 'first' ? trace.findIndex(matches) : trace.findLastIndex(matches));
    if (at === 0) {
      throw new Error(`no operation is like ${pattern}`);
    }
    return at;
  }

  /**
   * Runs a command that `prepare` has set up with a fault, and runs it again without. Resolves to what is wrong,
   * and how the first one ended. `whole`: the outcome of an undisturbed one.
   */
  async judge(
    args: readonly string[],
    strike: Strike,
    whole: Record<string, unknown>,
    prepare: () => Promise<void> = async () => this.reset(),
  ): Promise<{ wrong: string[]; struck: Ended }> {
    await prepare();
    const inputs = this.inputs();
    const killed = strike.fault === 'SIGKILL' || strike.fault === 'torn';
    const struck = killed ? await this.process(args, strike) : await this.run(args, strike);
    const wrong: string[] = [];
    const check = (what: string, work: () => void) => {
      try {
        work();
      } catch (error) {
        wrong.push(`${what}: ${(error as Error).message.slice(0, 1500)}`);
      }
    };
    check('how it ended', () => expect(struck.code).toBe(killed ? undefined : struck.code === 0 ? 0 : 2));
    if (struck.code === 2) {
      check('sentence', () => expect(struck.stderr).toMatch(/^[^\n]{20,400}\.\n$/));
    }
    check('whole after it', () => this.checkWhole());
    if (struck.code === 0) {
      // A lock that could not be deleted stays, for the next run to take over.
      const failed = struck.trace[(strike.at ?? 0) - 1];
      const stays = failed?.op === 'unlink' && failed.path === this.path(LOCK) ? [LOCK] : [];
      check('outcome', () => this.#compare(whole, stays));
    }
    const again = await this.run(args);
    check('again', () => expect([again.code, again.stderr]).toEqual([0, '']));
    check('whole again', () => this.checkWhole());
    check('outcome again', () => this.#compare(whole));
    check('inputs', () => expect(this.inputs()).toEqual(inputs));
    return { wrong, struck };
  }

  /**
   * Throws if anything other than `whole` is there; a base that could not be cached for the next start may be
   * missing. Files of the names in `more` may be there too.
   */
  #compare(whole: Record<string, unknown>, more: readonly string[] = []): void {
    const found = Object.fromEntries(Object.entries(this.outcome()).filter(([name]) => !more.includes(name)));
    const cached = (name: string) => name.startsWith('cache/');
    const without = Object.fromEntries(Object.entries(whole).filter(([name]) => !cached(name)));
    expectSame(found, Object.keys(found).some(cached) ? whole : without);
  }

  /** Every input with its bytes and times. */
  inputs(): Record<string, string> {
    return Object.fromEntries(
      INPUTS.flatMap((name) => filesUnder(this.path(name))).map((path) => [
        relative(this.path(), path),
        `${sha256(path)} ${statSync(path).mtimeMs}`,
      ]),
    );
  }

  /** What a command leaves: every file's bytes, but for times. */
  outcome(): Record<string, unknown> {
    const files = ['out', 'cache'].flatMap((name) => filesUnder(this.path(name)));
    return Object.fromEntries(
      files
        .map((path): [string, unknown] => [relative(this.path(), path), timeless(path)])
        .map(([name, content]) => [name.replace(/tfevents\.\d+/, 'tfevents'), content]),
    );
  }

  /** Throws if a file under its final name is incomplete, or files that belong together disagree. */
  checkWhole(): void {
    const output = this.path('out/v2');
    for (const name of existsSync(output) ? readdirSync(output) : []) {
      if (/^checkpoint-\d+$/.test(name)) {
        checkHashes(join(output, name));
      }
    }
    if (existsSync(join(output, 'retune_state.json'))) {
      checkHashes(output);
      this.#checkLog(output);
    }
    for (const path of filesUnder(this.path('out')).filter((p) => !isPartial(p))) {
      if (path.endsWith('.json')) {
        JSON.parse(readFileSync(path, 'utf8'));
      }
    }
  }

  /** A finished run's log for TensorBoard says what trainer_state.json does. */
  #checkLog(output: string): void {
    const { log_history: history } = readJson(join(output, 'trainer_state.json')) as {
      log_history: LogEntry[];
    };
    const { logTimes } = readJson(join(output, 'retune_state.json')) as { logTimes: number[] };
    const tag = (key: string) => (key.startsWith('eval_') ? key.replace('_', '/') : `train/${key}`);
    const events = history.map(({ step, ...values }, i) => {
      const tags = Object.entries(values).map(([key, value]) => [tag(key), value] as const);
      return scalarEvent(logTimes[i]!, step, Object.fromEntries(tags));
    });
    const [log, ...others] = readdirSync(join(output, 'logs')).filter((name) => !isPartial(name));
    expect(others).toEqual([]);
    const expected = joinBytes([eventHeader(logTimes[0]!), ...events]);
    expect(readFileSync(join(output, 'logs', log!)).equals(expected)).toBe(true);
  }
}

/** The lock of the output, below the scene. */
const LOCK = 'out/v2/.retune.lock';

const INPUTS = ['base', 'v1', 'train.jsonl', 'val.jsonl', 'questions.json', 'training_config.yaml'];

const isPartial = (path: string): boolean => path.includes('.partial');

function checkHashes(folder: string): void {
  const { files } = readJson(join(folder, 'retune_state.json')) as { files: Record<string, string> };
  for (const [name, hash] of Object.entries(files)) {
    expect(sha256(join(folder, name)), name).toBe(hash);
  }
  expect(Object.keys(files).length).toBe(5);
}

/** All files at or under a path. */
function filesUnder(path: string): string[] {
  if (!existsSync(path)) {
    return [];
  }
  if (!statSync(path).isDirectory()) {
    return [path];
  }
  return readdirSync(path)
    .toSorted()
    .flatMap((name) => filesUnder(join(path, name)));
}

const sha256 = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');
const readJson = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));

/** What must be the same whenever a file is written. */
function timeless(path: string): unknown {
  const name = path.split('/').at(-1)!;
  const json = () => readJson(path) as Record<string, unknown>;
  const without = (...keys: string[]) =>
    Object.fromEntries(Object.entries(json()).filter(([key]) => !keys.includes(key)));
  if (name === 'retune_state.json') {
    return without('logTimes', 'files');
  }
  if (name === 'manifest.json') {
    return without('created', 'lastUsed', 'fingerprints');
  }
  if (name === 'answers.json') {
    return { ...json(), summary: { ...(json()['summary'] as object), test_date: '' } };
  }
  if (name === 'trainer_state.json') {
    const { state } = comparable({
      'trainer_state.json': readFileSync(path),
      'retune_state.json': new TextEncoder().encode('{}'),
    });
    return state;
  }
  // Its times are checked against the others.
  if (name.includes('tfevents')) {
    return 'a log';
  }
  return sha256(path);
}

const signalListeners = () =>
  (['SIGINT', 'SIGTERM', 'SIGHUP'] as const).map((name) => [name, process.listeners(name)] as const);
