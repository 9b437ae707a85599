import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { slowDevice } from '../support/disturbed-run.ts';
import { casePath } from '../support/model-case.ts';
import { choose, ended, exported, fingerprint, value, WorkerPages } from '../support/worker-page.ts';

// On a device that computes next to nothing: here it matters what is kept, and how it is named.

const NAME = 'batch2';
const QUESTIONS = readFileSync(casePath(NAME, 'questions.json'), 'utf8');

let pages: WorkerPages;
let page: Page;
let run: string;

beforeAll(async () => {
  pages = await WorkerPages.open('dist/kept-runs-test', { device: 'null' });
  page = await pages.page(await pages.context(), NAME);
  await page.evaluate(() => window.bench.start());
  run = (await ended(page)).id;
  // A test of it, which takes space too.
  await page.evaluate(
    async ([run, questions]) => {
      const { base } = await window.bench.inputs();
      await window.bench.test({
        name: 'a test',
        base,
        questions: { file: new File([questions], 'questions.json') },
        validation: undefined,
        versions: [{ name: 'V2', version: { kind: 'result', run } }],
        options: {
          form: undefined,
          sampling: { temperature: 0, topP: 1, topK: 0, repetitionPenalty: 1 },
          maxNewTokens: 1,
          seed: 1,
        },
      });
    },
    [run, QUESTIONS] as const,
  );
  // The runs that follow are stopped on the way.
  slowDevice(page);
  await page.reload();
  await choose(page, NAME);
});

afterAll(() => pages.close());

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
  expect(account.items.filter(({ kind }) => kind === 'test')).toHaveLength(1);
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
