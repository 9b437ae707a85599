import { readFileSync } from 'node:fs';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { BatchTestFile } from '../../src/comparison/results.ts';
import type { TestDetail, TestOptions } from '../../src/engine/protocol/comparison.ts';
import type { Answer } from '../../src/engine/protocol/protocol.ts';
import type { LogEntry } from '../../src/formats/trainer-state.ts';
import { GREEDY, RECIPE_SAMPLING, type Sampling } from '../../src/generate/sampling.ts';
import { casePath, type Expected } from '../support/model-case.ts';
import { choose, ended, exported, fingerprint, WorkerPages } from '../support/worker-page.ts';

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

function value<T>(answer: Answer<T>): T {
  if (!answer.ok) {
    throw new Error(answer.sentence);
  }
  return answer.value;
}

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
  expect((await blobText(id, 'testCsv')).split('\r\n')[1]).toMatch(/,V2$/);
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
  expect(listed.map(({ name, status }) => [name, status])).toEqual([
    ['stopped', 'finished'],
    ['whole', 'finished'],
    ['greedy', 'finished'],
  ]);
});

it('V3 begins with the V2 that this browser keeps, and the family tree says so', async () => {
  const begun = await page.evaluate(async (run) => {
    const { bench } = window;
    const from = await bench.engine.continueFrom(run);
    if (!from.ok) {
      throw new Error(from.sentence);
    }
    await bench.engine.renameRun(run, 'my V2');
    const inputs = await bench.inputs();
    bench.start(Promise.resolve({ ...inputs, source: from.value.source }));
    await bench.reached(1);
    const busy = await bench.test({
      name: 'x',
      base: inputs.base,
      questions: { file: new File(['{"question":"?"}'], 'q.json') },
      validation: undefined,
      versions: [{ name: 'base', version: { kind: 'base' } }],
      options: {
        form: 'text',
        sampling: { temperature: 0, topP: 1, topK: 0, repetitionPenalty: 1 },
        maxNewTokens: 1,
        seed: 1,
      },
    });
    await bench.engine.stop();
    const ended = await bench.running!;
    return { from: from.value, busy: busy.outcome, ended };
  }, run);
  expect(begun.from.source).toEqual({ name: 'v1 + train.jsonl', files: [], run });
  expect(begun.busy).toEqual({
    ok: false,
    sentence: 'This tab is training my V2 + train.jsonl already; wait for it, or stop it first.',
  });
  const third = value(begun.ended).id;
  const notes = await page.evaluate(() => window.bench.engine.runNotes());
  const of = (id: string) => notes.find((run) => run.id === id)!;
  expect(of(third).hashes).toMatchObject({
    source: of(run).hashes.result,
    base: of(run).hashes.base,
    result: undefined,
  });
  expect(of(run)).toMatchObject({ name: 'my V2', imported: false });
  const family = await page.evaluate(() => window.bench.engine.family());
  expect(family.map(({ kind, name, generation, run }) => [kind, name, generation, run])).toEqual([
    ['base', 'base', 0, undefined],
    ['adapter', 'v1', 1, undefined],
    ['run', 'my V2', 2, run],
    ['run', 'my V2 + train.jsonl', 3, third],
  ]);
  expect(family[3]!.parent).toBe(family[2]!.key);
  // It resumes with the same source, which the browser still has.
  const resumed = await page.evaluate(async (id) => {
    window.bench.events.length = 0;
    window.bench.resume(id);
    await window.bench.reached(2);
    await window.bench.engine.stop();
    return window.bench.running!;
  }, third);
  expect(resumed).toMatchObject({ ok: true });
});

it('a run goes out as a zip and comes back the same; storage tells what takes how much', async () => {
  const before = await exported(page, run);
  const account = await page.evaluate(() => window.bench.engine.storage());
  const own = account.items.find(({ key }) => key === `run/${run}`)!;
  expect(own).toMatchObject({ kind: 'run', name: 'my V2', deletable: true });
  expect(own.parts.map(({ name }) => name).toSorted()).toEqual([
    'checkpoint 6',
    'checkpoint 7',
    'copies of its inputs',
    'logs',
    'result',
  ]);
  expect(own.bytes).toBe(own.parts.reduce((sum, { bytes }) => sum + bytes, 0));
  expect(account.items.filter(({ kind }) => kind === 'test')).toHaveLength(3);
  const copy = account.items.find(({ kind }) => kind === 'second copy')!;
  expect(copy.deletable).toBe(false);
  expect(copy.bytes).toBeGreaterThan(own.bytes);
  expect(account.used).toBeGreaterThan(own.bytes + copy.bytes);
  const told = await page.evaluate(async (id) => {
    const { engine } = window.bench;
    await engine.annotateRun(id, 'the good one');
    const archive = await engine.archiveRun(id);
    if (!archive.ok) {
      throw new Error(archive.sentence);
    }
    const zip = new File([archive.value], 'v2.zip');
    const again = await engine.importRun(zip);
    await engine.deleteStored(`run/${id}`);
    const without = (await engine.runs()).map((run) => run.id);
    // One byte of the result's weights differs: they come in the archive after the checkpoints.
    const bytes = new Uint8Array(await zip.arrayBuffer());
    const name = new TextEncoder().encode('result/adapter_model.safetensors');
    const at = bytes.findIndex((_, i) => name.every((byte, k) => bytes[i + k] === byte));
    bytes[at + name.length + 5000]! ^= 1;
    const damaged = await engine.importRun(new File([bytes], 'v2.zip'));
    const back = await engine.importRun(zip);
    return { again, without, damaged, back, notes: (await engine.runNotes()).find((run) => run.id === id)! };
  }, run);
  expect(told.again).toEqual({
    ok: false,
    sentence: 'v2.zip: this run is in the browser already, as my V2; delete that one first.',
  });
  expect(told.without).not.toContain(run);
  expect(told.damaged).toEqual({
    ok: false,
    sentence:
      'v2.zip: result/adapter_model.safetensors in it is damaged; choose a zip that Retune has exported, or export it again.',
  });
  expect(told.back).toEqual({ ok: true, value: { id: run, name: 'my V2' } });
  expect(told.notes).toMatchObject({ name: 'my V2', note: 'the good one', imported: true });
  expect(fingerprint(await exported(page, run))).toEqual(fingerprint(before));
  const left = await page.evaluate(async () => {
    const { engine } = window.bench;
    for (const { key, kind } of (await engine.storage()).items) {
      if (kind === 'test') {
        await engine.deleteStored(key);
      }
    }
    return (await engine.tests()).length;
  });
  expect(left).toBe(0);
  expect(pages.problems).toEqual([]);
});
