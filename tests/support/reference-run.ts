import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { nodeFolder } from '../../src/cli/node-files.ts';
import { readAdapter } from '../../src/formats/adapter.ts';
import { openBaseModel } from '../../src/formats/base-model.ts';
import type { Folder } from '../../src/formats/byte-source.ts';
import { readJson } from '../../src/formats/json.ts';
import type { LogEntry } from '../../src/formats/trainer-state.ts';
import { type CaseName, casePath, type Expected } from './model-case.ts';

// The bounds of agreement with PyTorch. Noise of 1e-6 on the base's weights moves losses by 6e-7.
const LOSS = 2e-5;
const GRAD_NORM = 2e-4;
const COSINE = 0.9999;

export const VERSIONS = ['base', 'v1', 'v2'] as const;

/** What PyTorch gave in a reference run. */
export type ExpectedRun = Expected & { log_history: LogEntry[]; checkpoints?: string[] };

export const expectedRun = (name: CaseName): ExpectedRun =>
  JSON.parse(readFileSync(casePath(name, 'expected/expected.json'), 'utf8')) as ExpectedRun;

/** How a case's questions are put. */
export const formOf = ({ prompt }: Expected): 'text' | 'chat' =>
  prompt.startsWith('### Instruction') ? 'text' : 'chat';

const withoutTimes = (entry: LogEntry) =>
  Object.keys(entry)
    .filter((key) => !/runtime|per_second/.test(key))
    .toSorted();

/** A log must contain what transformers logs, at the same steps. */
export function expectLog({ log_history: reference }: ExpectedRun, log: readonly LogEntry[]): void {
  expect(log.map((e) => [e.step, e.epoch])).toEqual(reference.map((e) => [e.step, e.epoch]));
  expect(log.map(withoutTimes)).toEqual(reference.map(withoutTimes));
  log.forEach((entry, i) => {
    const at = `entry ${i}, step ${entry.step}`;
    for (const key of ['loss', 'eval_loss', 'train_loss']) {
      if (entry[key] !== undefined) {
        expect(Math.abs(entry[key] - reference[i]![key]!), at).toBeLessThan(LOSS);
      }
    }
    if (entry.grad_norm !== undefined) {
      expect(Math.abs(entry.grad_norm / reference[i]!.grad_norm! - 1), at).toBeLessThan(GRAD_NORM);
    }
    // V8's cosine may differ from C's in the last bit.
    if (entry.learning_rate !== undefined) {
      expect(Math.abs(entry.learning_rate - reference[i]!.learning_rate!), at).toBeLessThan(1e-17);
    }
    expect(entry.total_flos).toBe(reference[i]!.total_flos);
  });
}

/** The adapter must have moved where PyTorch moved it. */
export async function expectAdapter(name: CaseName, result: Folder): Promise<void> {
  const { config } = await openBaseModel(await nodeFolder(casePath(name, 'base')));
  const read = async (folder: Folder) => (await readAdapter(folder, config)).weights;
  const [v1, v2, reference] = [
    await read(await nodeFolder(casePath(name, 'v1'))),
    await read(result),
    await read(await nodeFolder(casePath(name, 'expected/v2'))),
  ];
  let [dot, ours, theirs] = [0, 0, 0];
  v1.forEach((from, i) => {
    for (const which of ['A', 'B'] as const) {
      from[which].forEach((start, j) => {
        const x = v2[i]![which][j]! - start;
        const y = reference[i]![which][j]! - start;
        dot += x * y;
        ours += x * x;
        theirs += y * y;
      });
    }
  });
  expect(dot / Math.sqrt(ours * theirs)).toBeGreaterThan(COSINE);
  expect(Math.abs(Math.sqrt(ours / theirs) - 1)).toBeLessThan(1e-3);
  const written = await readJson((await result.open('adapter_config.json'))!);
  const v1Config = readFileSync(casePath(name, 'v1/adapter_config.json'), 'utf8');
  expect(written).toEqual({
    ...(JSON.parse(v1Config) as object),
    inference_mode: true,
  });
}

/** A version must answer as it does in PyTorch. */
export function expectAnswers(
  expected: ExpectedRun,
  who: (typeof VERSIONS)[number],
  answers: readonly string[],
): void {
  expect(answers[0]).toBe(expected[`${who}_text`].trim());
  if (expected.greedy_answers) {
    expect(answers).toEqual(expected.greedy_answers.map((answer) => answer[who].trim()));
  }
}
