import { readFileSync } from 'node:fs';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { LogEntry } from '../../src/formats/trainer-state.ts';
import type { MemoryFiles } from '../support/memory-folder.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { casePath, type Expected } from '../support/model-case.ts';
import { caseInputs, run } from '../support/run-case.ts';
import { ended, exported, fingerprint, inside, WorkerPages } from '../support/worker-page.ts';

const NAME = 'batch2';
const LOSS = 2e-5;

const expected = JSON.parse(readFileSync(casePath(NAME, 'expected/expected.json'), 'utf8')) as Expected & {
  log_history: LogEntry[];
};

let pages: WorkerPages;
let context: BrowserContext;
let page: Page;

beforeAll(async () => {
  pages = await WorkerPages.open('dist/worker-test');
  context = await pages.context();
  page = await pages.page(context, NAME);
});

afterAll(() => pages.close());

it('says what was chosen before anything is computed', async () => {
  const told = await page.evaluate(async () => {
    const { engine } = window.bench;
    const { base, source, train, recipe, validation } = await window.bench.inputs();
    const rows = (name: string, text: string) => ({ file: new File([text], name) });
    return {
      base: await engine.inspectBase(base),
      adapter: await engine.inspectAdapter(base, source!),
      rows: await engine.inspectRows(base, train, { maxLength: recipe.training.maxLength, use: 'train' }),
      plan: await engine.plan({ base, source, train, validation, recipe }),
      estimate: await window.bench.estimate(),
      recipe: (await engine.recipeYaml(recipe)).includes('per_device_train_batch_size: 2'),
      wrong: {
        base: await engine.inspectBase(source!),
        adapter: await engine.inspectAdapter(base, base),
        rows: await engine.inspectRows(base, rows('a.jsonl', '{"a":1}'), { maxLength: 34, use: 'train' }),
        evalRows: await engine.inspectRows(base, rows('e.jsonl', '{"text":""}'), {
          maxLength: 34,
          use: 'evaluate',
        }),
        recipe: await engine.parseRecipe(new File(['training: {save_steps: often}'], 'r.yaml')),
      },
    };
  });
  expect(told.base).toMatchObject({ ok: true, value: { name: 'base', layers: 2, dtype: 'BF16' } });
  expect(told.adapter).toMatchObject({
    ok: true,
    value: { r: 32, modules: ['q_proj', 'v_proj', 'gate_proj', 'down_proj'] },
  });
  expect(told.rows).toMatchObject({ ok: true, value: { name: 'train.jsonl', format: 'text', longest: 34 } });
  if (told.rows.ok) {
    const { text, trained } = told.rows.value.preview[0]!.pieces[0]!;
    expect(text).toMatch(/^### Instruction:\n/);
    expect(trained).toBe(true);
  }
  expect(told.plan).toMatchObject({ ok: true, value: { maxSteps: 7 } });
  expect(told.estimate).toMatchObject({ ok: true });
  if (told.estimate.ok) {
    const { tokensPerSecond, seconds } = told.estimate.value;
    // 1,074 tokens of training in 2 3/7 epochs, and three evaluations.
    expect(seconds * tokensPerSecond).toBeGreaterThan(1000);
    expect(seconds * tokensPerSecond).toBeLessThan(2000);
  }
  expect(told.recipe).toBe(true);
  expect(told.wrong).toEqual({
    base: {
      ok: false,
      sentence: expect.stringMatching(/^v1: config\.json is missing, .*choose that folder\.$/),
    },
    adapter: { ok: false, sentence: expect.stringMatching(/^base: adapter_config\.json is missing, /) },
    rows: { ok: false, sentence: expect.stringMatching(/^a\.jsonl, line 1: /) },
    evalRows: { ok: false, sentence: expect.stringMatching(/^e\.jsonl: .*nothing to evaluate on/) },
    recipe: { ok: false, sentence: expect.stringMatching(/^r\.yaml: training\.save_steps is "often", /) },
  });
});

let id: string;
let whole: MemoryFiles;

it('trains to the end, pausing on the way, and logs what PyTorch logs', async () => {
  const stepsWhilePaused = await page.evaluate(async () => {
    const { bench } = window;
    bench.start();
    await bench.reached(2);
    await bench.engine.pause();
    // A checkpoint can be requested while the run pauses; once it is there, the pause is in effect.
    await bench.engine.checkpointNow();
    while (!bench.events.some(({ type }) => type === 'checkpoint')) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const count = () => bench.events.filter(({ type }) => type === 'step').length;
    const before = count();
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const during = count() - before;
    await bench.engine.unpause();
    return during;
  });
  expect(stepsWhilePaused).toBe(0);
  const outcome = await ended(page);
  expect(outcome).toMatchObject({ status: 'finished', step: 7, maxSteps: 7 });
  id = outcome.id;
  const [record] = await page.evaluate(() => window.bench.engine.runs());
  expect(record).toMatchObject({
    id,
    name: 'v1 + train.jsonl',
    status: 'finished',
    step: 7,
    maxSteps: 7,
    inputs: { base: 'base', source: 'v1', train: 'train.jsonl', validation: 'val.jsonl' },
  });
  expect(record!.checkpoints.map(({ step }) => step)).toEqual([6, 7]);
  const { log_history: reference } = expected;
  const lastLoss = reference.findLast((entry) => entry.loss !== undefined)!.loss!;
  expect(Math.abs(record!.checkpoints[1]!.loss! - lastLoss)).toBeLessThan(LOSS);
  expect(record!.log.map(({ step, epoch }) => [step, epoch])).toEqual(
    reference.map(({ step, epoch }) => [step, epoch]),
  );
  record!.log.forEach((entry, i) => {
    for (const key of ['loss', 'eval_loss', 'train_loss']) {
      if (entry[key] !== undefined) {
        expect(Math.abs(entry[key] - reference[i]![key]!)).toBeLessThan(LOSS);
      }
    }
  });
});

it('exports the bytes that Node writes on the same device, as a zip and into a folder', async () => {
  whole = await exported(page, id);
  const store = new MemoryStore();
  await run({ inputs: await caseInputs(NAME), store });
  // Two builds of Dawn, one in the browser and one in the webgpu package, agree to the bit.
  expect(fingerprint(whole)).toEqual(fingerprint(store.result));
  expect(fingerprint(inside(whole, 'checkpoint-6'))).toEqual(fingerprint(store.saved.get(6)!));
  expect(Object.keys(whole)).toContain('README.md');
  expect(Object.keys(inside(whole, 'logs'))).toHaveLength(1);
  const inFolder = await page.evaluate(async (id) => {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('out', { create: true });
    const answer = await window.bench.engine.exportRunInto(id, true, folder);
    const checkpoint = await folder.getDirectoryHandle('checkpoint-7');
    const file = await (await checkpoint.getFileHandle('optimizer.safetensors')).getFile();
    const names: string[] = [];
    for await (const name of folder.keys()) {
      names.push(name);
    }
    return { answer, names, base64: await window.bench.base64(file) };
  }, id);
  expect(inFolder.answer.ok).toBe(true);
  const top = Object.keys(whole).map((path) => path.split('/')[0]!);
  expect(inFolder.names.toSorted()).toEqual([...new Set(top)].toSorted());
  const optimizer = Buffer.from(whole['checkpoint-7/optimizer.safetensors']!).toString('base64');
  expect(inFolder.base64).toBe(optimizer);
});

it('answers as base, V1 and V2 with the words of PyTorch', async () => {
  const question = /^### Instruction:\n(.*)\n\n### Response:\n$/s.exec(expected.prompt)![1]!;
  for (const version of ['base', 'v1', 'v2'] as const) {
    const said = await page.evaluate(([id, version, question]) => window.bench.chat(id, version, question), [
      id,
      version,
      question,
    ] as const);
    expect(said.whole).toBe(expected[`${version}_text`].trim());
    expect(said.streamed.trim()).toBe(said.whole);
  }
});

it('trains in one tab of a browser only, and tells the second where the first is', async () => {
  const second = await pages.page(context, NAME);
  await page.evaluate(() => window.bench.start());
  const training = async () => (await page.evaluate(() => window.bench.events.length)) > 0;
  await expect.poll(training).toBe(true);
  const refused = await second.evaluate(() => {
    window.bench.start();
    return window.bench.running!;
  });
  expect(refused).toEqual({
    ok: false,
    sentence:
      'Another tab of this browser is training v1 + train.jsonl; go to that tab, or stop the run there first.',
  });
  await page.evaluate(() => window.bench.engine.stop());
  const outcome = await ended(page);
  expect(outcome.status).toBe('stopped');
  const listed = await second.evaluate(() => window.bench.engine.runs());
  expect(listed.find((record) => record.id === outcome.id)).toMatchObject({
    status: 'unfinished',
    stopped: true,
  });
  const left = await second.evaluate(async (id) => {
    await window.bench.engine.deleteRun(id);
    return { runs: await window.bench.engine.runs(), steps: await window.bench.store(id).checkpoints() };
  }, id);
  expect(left.runs.map((record) => record.id)).toEqual([outcome.id]);
  expect(left.steps).toEqual([]);
  expect(pages.problems).toEqual([]);
});
