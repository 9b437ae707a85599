import { readFileSync } from 'node:fs';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { BatchTestFile } from '../../src/comparison/results.ts';
import type { TestDetail, TestOptions } from '../../src/engine/protocol/comparison.ts';
import type { LogEntry } from '../../src/formats/trainer-state.ts';
import { GREEDY, RECIPE_SAMPLING, type Sampling } from '../../src/generate/sampling.ts';
import { casePath, type Expected } from '../support/model-case.ts';
import { choose, ended, value, WorkerPages } from '../support/worker-page.ts';

const NAME = 'batch2';
const QUESTIONS = readFileSync(casePath(NAME, 'questions.json'), 'utf8');
/** More than are decoded at once, so that a stop leaves some that have not begun. */
const TWELVE = JSON.stringify([1, 2, 3].flatMap(() => JSON.parse(QUESTIONS) as unknown[]));
const expected = JSON.parse(readFileSync(casePath(NAME, 'expected/expected.json'), 'utf8')) as Expected & {
  log_history: LogEntry[];
};

let pages: WorkerPages;
let context: BrowserContext;
let page: Page;
let run: string;

beforeAll(async () => {
  pages = await WorkerPages.open('dist/batch-test');
  context = await pages.context();
  page = await pages.page(context, NAME);
  await page.evaluate(() => window.bench.start());
  run = (await ended(page)).id;
});

afterAll(() => pages.close());

const options = (sampling: Sampling, maxNewTokens: number): TestOptions => ({
  form: undefined,
  sampling,
  maxNewTokens,
  seed: 7,
});

/** A test of the run's base, V1 and V2 and of what `folder` gives, with loss where `validated`. */
const test = (name: string, options: TestOptions, more: { validated: boolean; stopAfter?: number }) =>
  page.evaluate(
    async ([run, name, options, questions, { validated, stopAfter }]) => {
      const { base, source } = await window.bench.inputs();
      return window.bench.test(
        {
          name,
          base: { run },
          questions: { file: new File([questions], 'questions.json') },
          validation: validated ? { run } : undefined,
          versions: [
            ...(validated ? [{ name: 'base', version: { kind: 'base' } as const }] : []),
            { name: 'V1', version: { kind: 'folder', folder: source! } },
            { name: 'gone', version: { kind: 'checkpoint', run, step: 1 } },
            { name: 'wrong', version: { kind: 'folder', folder: base } },
            { name: 'V2', version: { kind: 'result', run } },
          ],
          options,
        },
        stopAfter,
      );
    },
    [run, name, options, more.validated ? QUESTIONS : TWELVE, more] as const,
  );
const detail = async (id: string): Promise<TestDetail> =>
  value(await page.evaluate(async (id) => window.bench.engine.test(id), id));
const blobText = (id: string, what: 'testCsv' | number) =>
  page.evaluate(
    async ([id, what]) => {
      const { engine } = window.bench;
      const answer = what === 'testCsv' ? await engine.testCsv(id) : await engine.testResults(id, what);
      return answer.ok ? answer.value.text() : answer.sentence;
    },
    [id, what] as const,
  );

it('answers as PyTorch does for base, V1 and V2 over one base; versions that are gone get a message', async () => {
  const { outcome, events } = await test('greedy', options(GREEDY, 24), { validated: true });
  const { id } = value(outcome);
  const { record, questions, versions } = await detail(id);
  expect(record).toMatchObject({
    name: 'greedy',
    status: 'finished',
    base: 'base',
    baseRun: run,
    form: 'text',
  });
  expect(record.versions.map(({ name, state }) => [name, state])).toEqual([
    ['base', 'finished'],
    ['V1', 'finished'],
    ['gone', 'failed'],
    ['wrong', 'failed'],
    ['V2', 'finished'],
  ]);
  expect(record.versions[2]!.sentence).toBe(
    'v1 + train.jsonl, step 1: this checkpoint is no longer in this browser; later ones have taken its place, so choose one of those.',
  );
  expect(record.versions[3]!.sentence).toMatch(/^base: adapter_config\.json is missing, /);
  const greedy = expected.greedy_answers!;
  for (const [i, who] of [
    [0, 'base'],
    [1, 'v1'],
    [4, 'v2'],
  ] as const) {
    expect(versions[i]!.answers.map((answer) => answer!.text)).toEqual(greedy.map((a) => a[who].trim()));
  }
  const told = events.flatMap((event) => (event.type === 'answer' ? [event] : []));
  expect(told).toHaveLength(3 * questions.length);
  expect(events.some(({ type }) => type === 'progress')).toBe(true);
  // The run's last evaluation was of the same adapter on the same rows.
  const { eval_loss: loss } = expected.log_history.findLast((entry) => entry.eval_loss !== undefined)!;
  expect(Math.abs(record.versions[4]!.evalLoss!.loss - loss!)).toBeLessThan(2e-5);
  expect(record.versions[0]!.evalLoss!.perplexity).toBe(Math.exp(record.versions[0]!.evalLoss!.loss));

  const compared = value(
    await page.evaluate(async (id) => window.bench.engine.compareVersions(id, 1, 4), id),
  );
  expect(compared.headline).toMatchObject({ questions: questions.length, resamples: 10_000 });
  expect(compared.changes).toHaveLength(questions.length);
  await page.evaluate(async (id) => window.bench.engine.vote(id, 0, 4), id);
  expect((await detail(id)).votes).toEqual([4, ...questions.slice(1).map(() => undefined)]);
  const file = JSON.parse(await blobText(id, 4)) as BatchTestFile;
  expect(file.summary).toMatchObject({ model_path: 'V2', total_questions: questions.length });
  expect(file.results[0]).toMatchObject({ question_id: 1, model_answer: greedy[0]!.v2.trim() });
  expect((await blobText(id, 'testCsv')).split('\r\n')[1]).toMatch(/,V2,$/);
  expect(await blobText(id, 2)).toBe('gone: it has not answered any question yet; continue the test.');
});

it('stopped, reloaded and resumed, a sampled test has the answers of an uninterrupted one', async () => {
  const sampled = options(RECIPE_SAMPLING, 6);
  const whole = value((await test('whole', sampled, { validated: false })).outcome).id;
  const stopped = value((await test('stopped', sampled, { validated: false, stopAfter: 2 })).outcome);
  expect(stopped.status).toBe('stopped');
  const before = (await detail(stopped.id)).record;
  expect(before).toMatchObject({ status: 'unfinished', stopped: true });
  expect(before.versions[0]!.answered).toBeGreaterThanOrEqual(2);
  expect(before.versions[0]!.answered).toBeLessThan(12);
  const wrong = await page.evaluate(async (questions) => {
    const { bench } = window;
    const { source } = await bench.inputs();
    const before = (await bench.engine.tests()).length;
    const version = { kind: 'base' } as const;
    const { outcome, events } = await bench.test({
      name: 'no base',
      base: source!,
      questions: { file: new File([questions], 'questions.json') },
      validation: undefined,
      versions: [{ name: 'base', version }],
      options: {
        form: 'text',
        sampling: { temperature: 0, topP: 1, topK: 0, repetitionPenalty: 1 },
        maxNewTokens: 1,
        seed: 1,
      },
    });
    return { outcome, events: events.length, added: (await bench.engine.tests()).length - before };
  }, QUESTIONS);
  expect(wrong).toMatchObject({ outcome: { ok: false }, events: 0, added: 0 });
  await page.reload();
  const resume = (given: boolean) =>
    page.evaluate(
      async ([id, given]) => {
        if (!given) {
          return window.bench.test({ id });
        }
        const { base, source } = await window.bench.inputs();
        return window.bench.test({ id, files: { base, folders: { 0: source!, 2: base } } });
      },
      [stopped.id, given] as const,
    );
  // The base is in the cache and V2 with its run; V1 was a folder that cannot be found again.
  expect((await resume(false)).outcome).toMatchObject({ ok: true, value: { status: 'finished' } });
  const [V1, , , V2] = (await detail(stopped.id)).record.versions;
  expect(V1).toMatchObject({
    state: 'failed',
    sentence: 'v1: this browser no longer has the adapter of this test; choose it again.',
  });
  expect(V2).toMatchObject({ state: 'finished' });
  await choose(page, NAME);
  expect((await resume(true)).outcome).toEqual({ ok: true, value: { id: stopped.id, status: 'finished' } });
  const answers = async (id: string) => (await detail(id)).versions.map((version) => version.answers);
  expect(await answers(stopped.id)).toEqual(await answers(whole));
  const listed = await page.evaluate(() => window.bench.engine.tests());
  expect(listed.slice(0, 2).map(({ name, status }) => [name, status])).toEqual([
    ['stopped', 'finished'],
    ['whole', 'finished'],
  ]);
});
