import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { retune } from '../support/cli.ts';
import { type CaseName, casePath } from '../support/model-case.ts';
import { spreadCuts } from './entry-cuts.ts';
import { type Files, INPUT, textOf } from './format.ts';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'retune-cuts-'));
});
afterAll(() => rmSync(root, { recursive: true }));

/** The command that reads an input of a format in `folder`. */
const COMMANDS: Readonly<Record<string, (folder: string, files: Files) => string[]>> = {
  safetensors: (folder) => ['inspect', join(folder, 'model.safetensors')],
  config: (folder) => ['inspect', folder],
  'index.json': (folder) => ['inspect', folder],
  adapter_config: (folder) => ['inspect', folder],
  recipe: (folder) => [
    'plan',
    '--base',
    casePath('batch2', 'base'),
    '--config',
    join(folder, 'training_config.yaml'),
  ],
  rows: (folder, { case: name }) => [
    ...['rows', '--base', casePath(textOf(name!) as CaseName, 'base')],
    ...['--train-data', join(folder, 'train.jsonl')],
  ],
  questions: (folder) => [
    ...['batch-test', '--base', casePath('batch2', 'base'), '--model', 'none'],
    ...['--questions', join(folder, 'questions.json'), '--output', join(folder, 'answers.json')],
  ],
  results: (folder) => ['compare', join(folder, 'v2.json'), join(folder, 'v2.json')],
  checkpoint: (folder) => ['inspect', folder],
};

it(
  'thirty cut inputs are refused by the command line in the same sentence',
  { timeout: 120_000 },
  async () => {
    const cuts = (await spreadCuts(Object.keys(COMMANDS), 4)).filter(({ refusal }) => refusal !== undefined);
    await inPairs(cuts, async ({ format, files, refusal }, i) => {
      const folder = join(root, String(i), INPUT);
      mkdirSync(folder, { recursive: true });
      for (const [name, bytes] of Object.entries(files)) {
        writeFileSync(join(folder, name), bytes);
      }
      const { code, stderr } = await retune(COMMANDS[format]!(folder, files));
      expect([code, format, stderr.replaceAll(folder, INPUT)]).toEqual([2, format, `${refusal!}\n`]);
    });
    expect(cuts.length).toBeGreaterThan(25);
  },
);

/** Processes two items at a time. */
async function inPairs<T>(
  items: readonly T[],
  work: (item: T, index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < items.length; i = next++) {
      await work(items[i]!, i);
    }
  };
  await Promise.all([worker(), worker()]);
}
