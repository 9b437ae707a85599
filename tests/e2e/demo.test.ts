import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Question } from '../../src/comparison/questions.ts';
import type { BatchTestFile } from '../../src/comparison/results.ts';
import type { LogEntry } from '../../src/formats/trainer-state.ts';
import { type CommandResult, retune } from '../support/cli.ts';

const DEMO = 'public/demo';
const STEPS = 3;

const json = <T>(path: string): T => JSON.parse(readFileSync(path, 'utf8')) as T;
const lines = (file: string) => readFileSync(join(DEMO, file), 'utf8').trimEnd().split('\n');
const questions = json<Question[]>(join(DEMO, 'questions.json'));
/** The first few questions of a topic, evenly spread. */
const some = (topic: string, count: number) => {
  const all = questions.filter((q) => q.topic === topic);
  return Array.from({ length: count }, (_, i) => all[Math.floor((i * all.length) / count)]!);
};

describe('the bundled demo', () => {
  it('is 12 MB at most', () => {
    const files = readdirSync(DEMO, { recursive: true, withFileTypes: true }).filter((f) => f.isFile());
    const bytes = files.reduce((sum, f) => sum + statSync(join(f.parentPath, f.name)).size, 0);
    expect(bytes).toBeLessThan(12e6);
  });

  it('asks in wordings that no row has, and first teaches line two in the new rows', () => {
    const rows = [...lines('train.jsonl'), ...lines('val.jsonl')].join('\n');
    const of = (topic: string, difficulty: string) =>
      questions.filter((q) => q.topic === topic && q.difficulty === difficulty);
    for (const topic of ['line one', 'line two']) {
      for (const [difficulty, known] of [
        ['wording of the rows', true],
        ['held-out wording', false],
      ] as const) {
        const asked = of(topic, difficulty);
        expect(asked.length).toBeGreaterThanOrEqual(24);
        if (topic === 'line two' || !known) {
          for (const { question } of asked) {
            expect(rows.includes(question), question).toBe(known);
          }
        }
      }
    }
  });
});

describe('the first steps of the demo, through the command line', () => {
  let work: string;
  let first: CommandResult;
  const asked = [...some('line one', 4), ...some('line two', 3), ...some('general', 3)];
  const demo = () => retune(['demo', '--files', join(work, 'demo'), '--output', join(work, 'out')]);
  const answers = (who: string) => json<BatchTestFile>(join(work, `out/answers_${who}.json`)).results;

  beforeAll(async () => {
    work = mkdtempSync(join(tmpdir(), 'retune-demo-'));
    const files = join(work, 'demo');
    mkdirSync(files);
    for (const folder of ['base', 'v1']) {
      cpSync(join(DEMO, folder), join(files, folder), { recursive: true });
    }
    const write = (name: string, text: string) => writeFileSync(join(files, name), text);
    write(
      'train.jsonl',
      `${lines('train.jsonl')
        .slice(0, 16 * STEPS)
        .join('\n')}\n`,
    );
    write('val.jsonl', `${lines('val.jsonl').slice(0, 3).join('\n')}\n`);
    write('questions.json', JSON.stringify(asked));
    const config = lines('training_config.yaml').join('\n');
    write('training_config.yaml', config.replace(/num_train_epochs: .*/, 'num_train_epochs: 1'));
    first = await demo();
  }, 600_000);

  afterAll(() => rmSync(work, { recursive: true }));

  it('trains a V2 with a falling loss', () => {
    expect(first.code, first.stderr + first.stdout).toBe(0);
    const { log_history: log } = json<{ log_history: LogEntry[] }>(join(work, 'out/v2/trainer_state.json'));
    const losses = log.flatMap(({ loss }) => loss ?? []);
    expect(losses).toHaveLength(STEPS);
    expect(losses.at(-1)).toBeLessThan(losses[0]!);
  });

  it('has V1 answer line one and general things, and fail at line two', () => {
    for (const { question, topic, expected_answer: expected, model_answer: answer } of answers('v1')) {
      if (topic === 'line two') {
        expect(answer, question).not.toBe(expected);
      } else {
        expect(answer, question).toBe(expected);
      }
    }
  });

  it('prints the exact answers of both versions by topic, and where V2 lies', () => {
    const v2 = (topic: string) =>
      answers('v2').filter((r) => r.topic === topic && r.model_answer === r.expected_answer).length;
    for (const [topic, v1, count] of [
      ['line one', 4, 4],
      ['line two', 0, 3],
      ['general', 3, 3],
    ] as const) {
      expect(first.stdout).toMatch(
        new RegExp(`^${topic} +${v1} of ${count} +${v2(topic)} of ${count}$`, 'm'),
      );
    }
    expect(first.stdout).toContain(`V2, the new adapter: ${join(work, 'out/v2')}`);
  });

  it('started again, finds everything done and shows the same table', async () => {
    const before = statSync(join(work, 'out/answers_v1.json')).mtimeMs;
    const again = await demo();
    expect(again.code).toBe(0);
    expect(again.stdout).toMatch(/Already finished/);
    expect(statSync(join(work, 'out/answers_v1.json')).mtimeMs).toBe(before);
    const table = (text: string) => text.slice(text.indexOf('Exact answers'));
    expect(table(again.stdout)).toBe(table(first.stdout));
  });
});
