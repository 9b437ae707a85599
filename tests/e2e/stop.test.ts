import { execFile, spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Scene } from '../support/scene.ts';

let scene: Scene;
beforeEach(() => {
  scene = new Scene();
});
afterEach(() => scene.close());

const CLI = 'dist/cli/retune.js';
const commands = (): Record<string, string[]> => {
  const base = ['--base', scene.path('base')];
  const files = ['--questions', scene.path('questions.json'), '--output', scene.path('answers.json')];
  return {
    finetune: scene.finetune(),
    'batch-test': ['batch-test', ...base, '--model', scene.path('v1'), ...files],
    plan: ['plan', ...base],
    inspect: ['inspect', scene.path('base')],
    compare: ['compare', scene.path('questions.json'), scene.path('questions.json')],
  };
};
const NAMES = ['finetune', 'batch-test', 'plan', 'inspect', 'compare'];

it.each(NAMES)('%s is ended by a signal though JavaScript never has its turn', async (name) => {
  const args = ['--import', './tests/support/never-idle.mjs', CLI, ...commands()[name]!];
  const before = readdirSync(scene.folder);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    child.stdout.on('data', (text) => String(text).includes('busy') && child.kill(signal));
    expect(await new Promise((resolve) => child.on('exit', (_, by) => resolve(by)))).toBe(signal);
  }
  expect(readdirSync(scene.folder)).toEqual(before);
});

describe('a stdout that takes nothing', () => {
  const shell = (line: string) =>
    new Promise<[unknown, string]>((resolve) =>
      execFile('bash', ['-c', `set -o pipefail; "${process.execPath}" ${line}`], (error, _, stderr) =>
        resolve([error?.code ?? 0, stderr]),
      ),
    );
  const calls = () => [
    ['--help'],
    ['plan', '--help'],
    ...['plan', 'inspect'].map((name) => commands()[name]!),
  ];

  // Linux has this device, which is always full.
  it.runIf(existsSync('/dev/full'))('ends a command with one sentence: a full disk', async () => {
    const sentence =
      'stdout cannot be written, since its disk is full (ENOSPC), so the command stopped; write it elsewhere.\n';
    for (const args of calls()) {
      const line = `${CLI} ${args.join(' ')} > /dev/full`;
      expect(await shell(line)).toEqual([2, sentence]);
      expect(await shell(`${line} 2>&1`)).toEqual([2, '']);
    }
  });

  it('ends a command with one sentence: a closed pipe', async () => {
    const sentence =
      'stdout was closed by what reads it (EPIPE), so the command stopped; write it elsewhere.\n';
    for (const args of calls()) {
      expect(await shell(`${CLI} ${args.join(' ')} | exec true`)).toEqual([141, sentence]);
    }
  });
});
