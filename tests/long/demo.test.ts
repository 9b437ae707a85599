import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { BatchTestFile } from '../../src/comparison/results.ts';
import type { LogEntry } from '../../src/formats/trainer-state.ts';
import { retune } from '../support/cli.ts';

const HELD_OUT = 'held-out wording';

let output: string;
const json = <T>(name: string): T => JSON.parse(readFileSync(join(output, name), 'utf8')) as T;
/** Share of exact answers to a topic's questions, all or those of one kind of wording. */
function exact(who: 'v1' | 'v2', topic: string, difficulty?: string): number {
  const results = json<BatchTestFile>(`answers_${who}.json`).results.filter(
    (r) => r.topic === topic && (difficulty === undefined || r.difficulty === difficulty),
  );
  expect(results.length).toBeGreaterThan(0);
  return results.filter((r) => r.model_answer === r.expected_answer).length / results.length;
}

beforeAll(async () => {
  output = mkdtempSync(join(tmpdir(), 'retune-demo-'));
  const { code, stdout, stderr } = await retune(['demo', '--output', output]);
  console.log(stdout);
  expect(code, stderr).toBe(0);
}, 7_200_000);

afterAll(() => rmSync(output, { recursive: true }));

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
