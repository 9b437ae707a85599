import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nodeFolder } from '../../src/cli/node-files.ts';
import type { BatchTestFile } from '../../src/comparison/results.ts';
import type { LogEntry } from '../../src/formats/trainer-state.ts';
import { retune } from './cli.ts';
import { type CaseName, casePath } from './model-case.ts';
import { expectAdapter, expectAnswers, expectedRun, expectLog, formOf, VERSIONS } from './reference-run.ts';

const json = <T>(path: string): T => JSON.parse(readFileSync(path, 'utf8')) as T;

/** The tests of a reference run through the command line, which starts a process for each command. */
export function describeByCommand(names: readonly CaseName[]): void {
  describe.each(names)('the reference run %s, through the command line', (name) => {
    const expected = expectedRun(name);
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
    }, 600_000);

    afterAll(() => rmSync(work, { recursive: true }));

    it('logs what transformers logs, at the same steps', () =>
      expectLog(
        expected,
        json<{ log_history: LogEntry[] }>(join(output(), 'trainer_state.json')).log_history,
      ));

    it('moves the adapter where PyTorch moved it', async () =>
      expectAdapter(name, await nodeFolder(output())));

    it('leaves the files of a finished run, and says so when run again', async () => {
      const files = readdirSync(output());
      for (const file of ['README.md', 'trainer_state.json', 'training_config.yaml', 'logs']) {
        expect(files).toContain(file);
      }
      if (expected.checkpoints) {
        const kept = files.filter((file) => file.startsWith('checkpoint-'));
        expect(kept.toSorted()).toEqual(expected.checkpoints.toSorted());
      }
      const before = readFileSync(join(output(), 'adapter_model.safetensors'));
      const again = await finetune();
      expect(again.code).toBe(0);
      expect(again.stdout).toMatch(/finished/);
      // How good the result is, where it was evaluated.
      const evaluated = expected.log_history.some(({ eval_loss: loss }) => loss !== undefined);
      expect(
        /^The adapter (has eval loss \d|is (better|worse) than the source model by \d|is as good as the source model: eval loss \d)/m.test(
          again.stdout,
        ),
      ).toBe(evaluated);
      expect(readFileSync(join(output(), 'adapter_model.safetensors')).equals(before)).toBe(true);
    });

    it.each(VERSIONS)('answers with PyTorch as %s', async (who) => {
      const file = join(work, `${who}.json`);
      const { code, stderr } = await retune([
        'batch-test',
        ...['--base', casePath(name, 'base')],
        ...['--model', { base: 'none', v1: casePath(name, 'v1'), v2: output() }[who]],
        ...['--questions', casePath(name, 'questions.json')],
        ...['--output', file, '--greedy', '--max-new-tokens', '24'],
        // V2 stores the form and the recipe it was trained with; the other versions are told.
        ...(who === 'v2' ? [] : ['--config', casePath(name, 'training_config.yaml')]),
        ...(who === 'v2' ? [] : ['--prompt', formOf(expected)]),
      ]);
      expect(code, stderr).toBe(0);
      const answers = json<BatchTestFile>(file).results.map((result) => result.model_answer);
      expectAnswers(expected, who, answers);
    });
  });
}
