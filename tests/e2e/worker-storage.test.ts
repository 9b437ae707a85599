import type { BrowserContext } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { killWhileSaving } from '../support/browser-kills.ts';
import { Random } from '../support/random.ts';
import { WorkerPages } from '../support/worker-page.ts';

let pages: WorkerPages;
let context: BrowserContext;

beforeAll(async () => {
  pages = await WorkerPages.open('dist/worker-storage-test');
  context = await pages.context();
});

afterAll(() => pages.close());

it('keeps checkpoints by step, replaces and removes them whole, and lists their files', async () => {
  const page = await pages.emptyPage(context);
  const seen = await page.evaluate(async () => {
    const store = window.bench.store('a');
    const other = window.bench.store('b');
    const text = (value: string) => [
      new TextEncoder().encode(value.slice(0, 2)),
      new TextEncoder().encode(value.slice(2)),
    ];
    const read = async (step: number) => {
      const folder = await store.openCheckpoint(step);
      const names = await folder.list();
      const sizes = await Promise.all(names.map(async (name) => (await folder.open(name))!.size));
      return { name: folder.name, names, sizes };
    };
    const trainer = JSON.stringify({
      global_step: 10,
      epoch: 1,
      max_steps: 10,
      num_train_epochs: 1,
      train_batch_size: 1,
      eval_steps: 1,
      logging_steps: 1,
      save_steps: 1,
      best_metric: null,
      best_global_step: null,
      best_model_checkpoint: null,
      num_input_tokens_seen: 0,
      total_flos: 0,
      log_history: [
        { step: 9, epoch: 0.9, loss: 0.5 },
        { step: 10, epoch: 1, eval_loss: 0.7 },
      ],
    });
    await store.saveCheckpoint(10, { old: text('gone'), 'trainer_state.json': text(trainer) });
    await store.saveCheckpoint(9, { a: text('12345') });
    await other.saveCheckpoint(1, { a: text('other') });
    const first = await store.manifests();
    await store.saveCheckpoint(10, { a: text('123456'), b: text('1234') });
    const replaced = await read(10);
    await store.removeCheckpoint(9);
    await store.saveResult({ 'retune_state.json': text('{}'), x: text('abcd') });
    await store.unfinish('retune_state.json');
    return {
      first,
      replaced,
      gone: await read(9),
      steps: await store.checkpoints(),
      otherSteps: await other.checkpoints(),
      result: await (await store.openResult()).list(),
    };
  });
  expect(seen.first.map(({ step, bytes, loss }) => [step, bytes > 0, loss])).toEqual([
    [9, true, undefined],
    [10, true, 0.5],
  ]);
  expect(seen.replaced).toEqual({ name: 'checkpoint-10', names: ['a', 'b'], sizes: [6, 4] });
  expect(seen.gone.names).toEqual([]);
  expect(seen.steps).toEqual([10]);
  expect(seen.otherSteps).toEqual([1]);
  expect(seen.result).toEqual(['x']);
  await page.close();
});

it('says what to do where the storage is full, and leaves the earlier checkpoint as it was', async () => {
  const small = await pages.context();
  const page = await pages.emptyPage(small);
  const session = await small.newCDPSession(page);
  const { origin } = new URL(page.url());
  await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 4_000_000 });
  const full = await page.evaluate(async () => {
    const store = window.bench.store('full');
    await store.saveCheckpoint(1, { weights: [new Uint8Array(1_000_000)] });
    const save = (step: number) => store.saveCheckpoint(step, { weights: [new Uint8Array(20_000_000)] });
    const errors = [];
    for (const step of [1, 2]) {
      errors.push(
        await save(step).then(
          () => undefined,
          (e: Error) => [e.name, e.message],
        ),
      );
    }
    const size = (await (await store.openCheckpoint(1)).open('weights'))!.size;
    return { errors, steps: await store.checkpoints(), size };
  });
  for (const [i, error] of full.errors.entries()) {
    expect(error).toEqual([
      'UserError',
      expect.stringMatching(
        new RegExp(
          `^checkpoint-${i + 1}: it takes 20 MB, and the browser has no room for that; delete earlier runs or free some disk space, then resume from the last checkpoint\\.$`,
        ),
      ),
    ]);
  }
  expect(full).toMatchObject({ steps: [1], size: 1_000_000 });
  await page.close();
});

// tests/long/browser-kills.test.ts kills it more often.
it('neither tears nor loses a checkpoint when the browser is killed while writing', async () => {
  await killWhileSaving(pages, new Random(Date.now()), 1);
});
