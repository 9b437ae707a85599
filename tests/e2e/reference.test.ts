import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nodeFolder } from '../../src/cli/node-files.ts';
import { readAdapter } from '../../src/formats/adapter.ts';
import { openBaseModel } from '../../src/formats/base-model.ts';
import type { LogEntry } from '../../src/formats/trainer-state.ts';
import type { BatchTestFile } from '../../src/comparison/results.ts';
import { retune } from '../support/cli.ts';
import { casePath, CASES, type Expected } from '../support/model-case.ts';

// The bounds of agreement with PyTorch. Noise of 1e-6 on the base's weights moves losses by 6e-7.
const LOSS = 2e-5;
const GRAD_NORM = 2e-4;
const COSINE = 0.9999;

const json = <T>(path: string): T => JSON.parse(readFileSync(path, 'utf8')) as T;
const withoutTimes = (entry: LogEntry) =>
  Object.keys(entry)
    .filter((key) => !/runtime|per_second/.test(key))
    .toSorted();

describe.each(CASES)('the reference run %s, through the command line', (name) => {
  const expected = json<Expected & { log_history: LogEntry[]; checkpoints?: string[] }>(
    casePath(name, 'expected/expected.json'),
  );
  let work: string;
  const output = () => join(work, 'v2');
  const finetune = () =>
    retune([
      'finetune',
      ...['--base', casePath(name, 'base')],
      ...['--source-model', casePath(name, 'v1')],
      ...['--train-data', casePath(name, 'train.jsonl')],
      ...['--val-data', casePath(name, 'val.jsonl')],
      ...['--config', casePath(name, 'training_config.yaml')],
      ...['--output', output()],
      ...['--precision', 'f32'],
    ]);

  beforeAll(async () => {
    work = mkdtempSync(join(tmpdir(), 'retune-'));
    const { code, stderr, stdout } = await finetune();
    expect(code, stderr + stdout).toBe(0);
    const differs = 'lm_head.weight in the files differs from it';
    expect((stderr + stdout).includes(differs)).toBe(name === 'untied_head');
  }, 600_000);

  afterAll(() => rmSync(work, { recursive: true }));

  it('logs what transformers logs, at the same steps', () => {
    const { log_history: log } = json<{ log_history: LogEntry[] }>(join(output(), 'trainer_state.json'));
    const reference = expected.log_history;
    expect(log.map((e) => [e.step, e.epoch])).toEqual(reference.map((e) => [e.step, e.epoch]));
    expect(log.map(withoutTimes)).toEqual(reference.map(withoutTimes));
    log.forEach((entry, i) => {
      const at = `entry ${i}, step ${entry.step}`;
      for (const key of ['loss', 'eval_loss', 'train_loss'])
        if (entry[key] !== undefined)
          expect(Math.abs(entry[key] - reference[i]![key]!), at).toBeLessThan(LOSS);
      if (entry.grad_norm !== undefined)
        expect(Math.abs(entry.grad_norm / reference[i]!.grad_norm! - 1), at).toBeLessThan(GRAD_NORM);
      // V8's cosine may differ from C's in the last bit.
      if (entry.learning_rate !== undefined)
        expect(Math.abs(entry.learning_rate - reference[i]!.learning_rate!), at).toBeLessThan(1e-17);
      expect(entry.total_flos).toBe(reference[i]!.total_flos);
    });
  });

  it('moves the adapter where PyTorch moved it', async () => {
    const { config } = await openBaseModel(await nodeFolder(casePath(name, 'base')));
    const read = async (path: string) => (await readAdapter(await nodeFolder(path), config)).weights;
    const [v1, v2, reference] = [
      await read(casePath(name, 'v1')),
      await read(output()),
      await read(casePath(name, 'expected/v2')),
    ];
    let [dot, ours, theirs] = [0, 0, 0];
    v1.forEach((from, i) => {
      for (const which of ['A', 'B'] as const)
        from[which].forEach((start, j) => {
          const x = v2[i]![which][j]! - start;
          const y = reference[i]![which][j]! - start;
          dot += x * y;
          ours += x * x;
          theirs += y * y;
        });
    });
    expect(dot / Math.sqrt(ours * theirs)).toBeGreaterThan(COSINE);
    expect(Math.abs(Math.sqrt(ours / theirs) - 1)).toBeLessThan(1e-3);
    expect(json(join(output(), 'adapter_config.json'))).toEqual({
      ...json<object>(casePath(name, 'v1/adapter_config.json')),
      inference_mode: true,
    });
  });

  it('leaves the files of a finished run, and says so when run again', async () => {
    const files = readdirSync(output());
    for (const file of ['README.md', 'trainer_state.json', 'training_config.yaml', 'logs'])
      expect(files).toContain(file);
    if (expected.checkpoints) {
      const kept = files.filter((file) => file.startsWith('checkpoint-'));
      expect(kept.toSorted()).toEqual(expected.checkpoints.toSorted());
    }
    const before = readFileSync(join(output(), 'adapter_model.safetensors'));
    const again = await finetune();
    expect(again.code).toBe(0);
    expect(again.stdout).toMatch(/finished/);
    expect(readFileSync(join(output(), 'adapter_model.safetensors')).equals(before)).toBe(true);
  });

  it.each(['base', 'v1', 'v2'] as const)('answers with PyTorch as %s', async (who) => {
    const file = join(work, `${who}.json`);
    const { code, stderr } = await retune([
      'batch-test',
      ...['--base', casePath(name, 'base')],
      ...['--model', { base: 'none', v1: casePath(name, 'v1'), v2: output() }[who]],
      ...['--questions', casePath(name, 'questions.json')],
      ...['--output', file, '--greedy', '--max-new-tokens', '24'],
      // V2 carries the form and the recipe that it was trained with; the others are told.
      ...(who === 'v2' ? [] : ['--config', casePath(name, 'training_config.yaml')]),
      ...(who === 'v2' ? [] : ['--prompt', expected.prompt.startsWith('### Instruction') ? 'text' : 'chat']),
    ]);
    expect(code, stderr).toBe(0);
    const answers = json<BatchTestFile>(file).results.map((result) => result.model_answer);
    expect(answers[0]).toBe(expected[`${who}_text`].trim());
    if (expected.greedy_answers)
      expect(answers).toEqual(expected.greedy_answers.map((answer) => answer[who].trim()));
  });
});
