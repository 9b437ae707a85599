import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BatchTestFile } from '../../src/comparison/results.ts';
import type { LogEntry } from '../../src/formats/trainer-state.ts';
import { retune } from '../support/cli.ts';
import { answersInLlama } from '../support/llama-answers.ts';

const HELD_OUT = 'held-out wording';

let output: string;
const work = mkdtempSync(join(tmpdir(), 'retune-demo-'));
const json = <T>(name: string): T => JSON.parse(readFileSync(join(output, name), 'utf8')) as T;
/** Share of exact answers to a topic's questions, all or those of one kind of wording. */
function exact(who: 'v1' | 'v2', topic: string, difficulty?: string): number {
  const results = json<BatchTestFile>(`answers_${who}.json`).results.filter(
    (r) => r.topic === topic && (difficulty === undefined || r.difficulty === difficulty),
  );
  expect(results.length).toBeGreaterThan(0);
  return results.filter((r) => r.model_answer === r.expected_answer).length / results.length;
}

/** Where an earlier demo is, so that it is not run again. */
const EARLIER = process.env.RETUNE_DEMO_OUTPUT;

beforeAll(async () => {
  output = EARLIER ?? join(work, 'demo');
  const { code, stdout, stderr } = await retune(['demo', '--output', output]);
  console.log(stdout);
  expect(code, stderr).toBe(0);
}, 7_200_000);

afterAll(() => rmSync(work, { recursive: true }));

it('V1 knows line one and general things, and not line two', () => {
  expect(exact('v1', 'line one')).toBeGreaterThanOrEqual(0.9);
  expect(exact('v1', 'line one', HELD_OUT)).toBeGreaterThanOrEqual(0.9);
  expect(exact('v1', 'line two')).toBeLessThanOrEqual(0.1);
  expect(exact('v1', 'general')).toBeGreaterThanOrEqual(0.9);
});

it('V2 knows line two and has kept the rest, in wordings of its rows and in others', () => {
  for (const difficulty of [undefined, HELD_OUT]) {
    expect(exact('v2', 'line two', difficulty)).toBeGreaterThanOrEqual(0.9);
    expect(exact('v2', 'line one', difficulty)).toBeGreaterThanOrEqual(0.85);
    expect(exact('v2', 'general', difficulty)).toBeGreaterThanOrEqual(0.9);
  }
});

it('eval loss falls', () => {
  const { log_history: log } = json<{ log_history: LogEntry[] }>('v2/trainer_state.json');
  const losses = log.flatMap(({ eval_loss: loss }) => loss ?? []);
  expect(losses.length).toBeGreaterThan(2);
  expect(losses.at(-1)).toBeLessThan(0.9 * losses[0]!);
});

it('is merged to the loss that it was trained to, onto the weights that training saw', async () => {
  const { code, stdout, stderr } = await retune([
    ...['export', '--base', 'public/demo/base', '--model', join(output, 'v2'), '--to', 'merged'],
    ...['--type', 'bf16', '--onto', 'nf4', '--val-data', 'public/demo/val.jsonl', '--software', '--yes'],
    ...['--output', join(work, 'merged')],
  ]);
  expect(code, stderr).toBe(0);
  const [, trained, written] =
    /eval_loss over 17 rows: ([\d.]+) as trained, ([\d.]+) as written in bf16/.exec(stdout)!;
  const { log_history: log } = json<{ log_history: LogEntry[] }>('v2/trainer_state.json');
  const last = log.flatMap(({ eval_loss: loss }) => loss ?? []).at(-1)!;
  expect(Number(trained)).toBeCloseTo(last, 3);
  expect(Math.abs(Number(written) - last)).toBeLessThan(0.01);
  expect(readFileSync(join(work, 'merged/README.md'), 'utf8')).toContain(`${trained} as trained`);
});

const INSTALLED = existsSync('tests/llama/node_modules/node-llama-cpp');

describe.skipIf(!INSTALLED)('in llama.cpp, which npm run test:llama installs', () => {
  it.each(['f32', 'f16'] as const)('V2 gives the same greedy answers in %s', async (type) => {
    const { answers, told } = await answersInLlama(output, type);
    console.log(told);
    expect(answers).toHaveLength(128);
    // Where the best two tokens are as good as equally likely, rounding decides.
    expect(answers.filter(({ same, margin }) => !same && margin >= 1e-2)).toEqual([]);
    expect(answers.filter(({ same }) => same).length).toBeGreaterThanOrEqual(120);
  });

  it.each(['q8_0', 'q4_k_m'] as const)('V2 gives mostly the same answers in %s', async (type) => {
    const { answers, told } = await answersInLlama(output, type);
    console.log(told);
    expect(answers.filter(({ same }) => same).length).toBeGreaterThanOrEqual(type === 'q8_0' ? 115 : 64);
  });
});
