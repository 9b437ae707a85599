import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ended, value, WorkerPages } from '../support/worker-page.ts';

// What it computes is held against PyTorch in page-engine.test.ts and tests/long/worker-reference.test.ts.

const NAME = 'batch2';

let pages: WorkerPages;
let context: BrowserContext;
let page: Page;

beforeAll(async () => {
  pages = await WorkerPages.open('dist/worker-test', { device: 'null' });
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
      speed: await window.bench.measureSpeed(),
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
  // 1,074 tokens of training in 2 3/7 epochs, and four evaluations.
  expect(value(told.plan).work).toBeGreaterThan(1000);
  expect(value(told.plan).work).toBeLessThan(2000);
  expect(value(told.speed).tokensPerSecond).toBeGreaterThan(0);
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

it('trains in one tab of a browser only, and tells the second where the first is', async () => {
  await page.evaluate(() => window.bench.start());
  const { id } = await ended(page);
  const second = await pages.page(context, NAME);
  await page.evaluate(async () => {
    const { bench } = window;
    bench.events.length = 0;
    bench.start();
    await bench.reached(1);
    await bench.engine.pause();
  });
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
