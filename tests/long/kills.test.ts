import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { retune } from '../support/cli.ts';
import { fixtureBytes } from '../support/memory-folder.ts';
import { casePath } from '../support/model-case.ts';
import { Random } from '../support/random.ts';
import { comparable } from '../support/run-case.ts';

const KILLS = 20;

const work = mkdtempSync(join(tmpdir(), 'retune-kills-'));
afterAll(() => rmSync(work, { recursive: true }));

/** The smallest case with a checkpoint at every step. */
function args(output: string): string[] {
  const config = join(work, 'config.yaml');
  const text = new TextDecoder().decode(fixtureBytes('cases/batch2/training_config.yaml'));
  writeFileSync(config, text.replace('save_steps: 3', 'save_steps: 1'));
  return [
    'finetune',
    ...['--base', casePath('batch2', 'base'), '--source-model', casePath('batch2', 'v1')],
    ...['--train-data', casePath('batch2', 'train.jsonl'), '--val-data', casePath('batch2', 'val.jsonl')],
    ...['--config', config, '--output', output],
  ];
}

/** Starts the run and kills it after this many milliseconds, unless it ends before; returns whether it was killed. */
function killedAfter(milliseconds: number, output: string): Promise<boolean> {
  const child = spawn(process.execPath, ['dist/cli/retune.js', ...args(output)], { stdio: 'ignore' });
  const timer = setTimeout(() => child.kill('SIGKILL'), milliseconds);
  return new Promise((resolve) => {
    child.on('exit', (_, signal) => {
      clearTimeout(timer);
      resolve(signal === 'SIGKILL');
    });
  });
}

const result = (folder: string) => {
  const names = [
    'adapter_model.safetensors',
    'adapter_config.json',
    'trainer_state.json',
    'retune_state.json',
  ];
  return comparable(Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name))])));
};

it(`killed ${KILLS} times at random moments, runs end in the bytes of one that was left alone`, async () => {
  const whole = join(work, 'whole');
  const started = performance.now();
  expect((await retune(args(whole))).code).toBe(0);
  const length = performance.now() - started;

  const seed = Date.now() >>> 0;
  console.log(`seed ${seed}; an uninterrupted run took ${(length / 1000).toFixed(1)} s`);
  const random = new Random(seed);
  let kills = 0;
  for (let round = 0; kills < KILLS; round++) {
    const output = join(work, `round-${round}`);
    // Each round is one run, killed until it ends.
    while (kills < KILLS && (await killedAfter(length * random.uniform(), output))) {
      kills++;
      // Every checkpoint present is a complete one.
      for (const name of existsSync(output) ? readdirSync(output) : []) {
        if (/^checkpoint-\d+$/.test(name)) {
          expect(readdirSync(join(output, name))).toContain('retune_state.json');
        }
      }
    }
    const { code, stderr } = await retune(args(output));
    expect(code, stderr).toBe(0);
    expect(result(output)).toEqual(result(whole));
  }
});
