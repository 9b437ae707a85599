import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MemoryFiles } from '../support/memory-folder.ts';
import { choose, ended, exported, fingerprint, inside, WorkerPages } from '../support/worker-page.ts';

const NAME = 'batch2';

let pages: WorkerPages;
let context: BrowserContext;
/** What an uninterrupted run leaves. */
let whole: MemoryFiles;

const expectWhole = (files: MemoryFiles): void => {
  expect(fingerprint(files)).toEqual(fingerprint(whole));
  for (const checkpoint of ['checkpoint-6', 'checkpoint-7']) {
    expect(fingerprint(inside(files, checkpoint))).toEqual(fingerprint(inside(whole, checkpoint)));
  }
};

beforeAll(async () => {
  pages = await WorkerPages.open('dist/worker-resume-test');
  context = await pages.context();
  const page = await pages.page(context, NAME);
  await page.evaluate(() => window.bench.start());
  whole = await exported(page, (await ended(page)).id);
  await page.close();
});

afterAll(() => pages.close());

it('a reload in mid-run loses nothing: the run resumes from its checkpoint to the same bytes', async () => {
  const page = await pages.page(context, NAME);
  await page.evaluate(() => {
    window.bench.start();
    return window.bench.reached(4);
  });
  await page.reload();
  const run = (await page.evaluate(() => window.bench.engine.runs()))[0]!;
  expect(run).toMatchObject({ status: 'unfinished', stopped: false, maxSteps: 7 });
  expect(run.checkpoints.map(({ step }) => step)).toEqual([3]);
  expect(run.lacks).toEqual([]);
  await page.evaluate(async () => {
    const { items } = await window.bench.engine.storage();
    for (const { key, kind } of items) {
      if (kind === 'base cache') {
        await window.bench.engine.deleteStored(key);
      }
    }
  });
  expect((await page.evaluate(() => window.bench.engine.runs()))[0]!.lacks).toEqual(['base']);

  const resume = (id: string, given: boolean) =>
    page.evaluate(
      async ([id, given]) => {
        window.bench.resume(id, given ? await window.bench.inputs() : undefined);
        return window.bench.running!;
      },
      [id, given] as const,
    );
  expect(await resume(run.id, false)).toEqual({
    ok: false,
    sentence: 'v1 + train.jsonl: this browser no longer has all of its files; choose base again.',
  });
  await choose(page, 'recipe_text');
  // Said before the base is read: it differs as well, and is named where it alone differs.
  expect(await resume(run.id, true)).toEqual({
    ok: false,
    sentence: expect.stringMatching(
      /^v1 \+ train\.jsonl: these are not the files that the run was started with \(changed: the source adapter, the training data, .*\); choose those, or start a new run\.$/,
    ),
  });
  await choose(page, NAME);
  expect(await resume(run.id, true)).toMatchObject({ ok: true, value: { status: 'finished', step: 7 } });
  const resumed = await page.evaluate(() =>
    window.bench.events.flatMap((event) => (event.type === 'facts' ? [event.facts.resumedStep] : [])),
  );
  expect(resumed).toEqual([3]);
  expectWhole(await exported(page, run.id));
  const [record] = await page.evaluate(() => window.bench.engine.runs());
  expect(record!.log.map(({ step }) => step)).toEqual([2, 3, 4, 6, 6, 7, 7]);
  await page.close();
});

it('a run whose files have handles resumes after a reload without choosing them again', async () => {
  const page = await pages.page(context, NAME);
  await page.evaluate(() => {
    window.bench.start(window.bench.inputsWithHandles());
    return window.bench.reached(4);
  });
  await page.reload();
  const { id, handles } = (await page.evaluate(() => window.bench.engine.runs()))[0]!;
  expect(Object.keys(handles).toSorted()).toEqual(['base', 'source', 'train', 'validation']);
  await page.evaluate((id) => {
    window.bench.resume(id);
    return window.bench.reached(5);
  }, id);
  await page.evaluate(() => window.bench.engine.stop());
  expect((await ended(page)).status).toBe('stopped');
  const steps = await page.evaluate(() =>
    window.bench.events.flatMap((event) => (event.type === 'step' ? [event.progress.step] : [])),
  );
  expect(steps[0]).toBe(4);
  await page.close();
});

it('a run without handles resumes after a reload from what the browser stores', async () => {
  const page = await pages.page(context, NAME);
  await page.evaluate(() => {
    window.bench.start();
    return window.bench.reached(4);
  });
  await page.reload();
  const { id, handles, lacks } = (await page.evaluate(() => window.bench.engine.runs()))[0]!;
  expect([Object.values(handles).filter(Boolean), lacks]).toEqual([[], []]);
  await page.evaluate((id) => {
    window.bench.resume(id);
    return window.bench.reached(5);
  }, id);
  await page.evaluate(() => window.bench.engine.stop());
  expect((await ended(page)).status).toBe('stopped');
  const phases = await page.evaluate(() =>
    window.bench.events.flatMap((event) => (event.type === 'phase' ? [event.phase] : [])),
  );
  expect(phases).toContain('loading the base');
  expect(phases).not.toContain('hashing');
  await page.close();
});

describe('the run outlives its device and ends in the same bytes', () => {
  /** Loses the device after step 4 and gives the finished run's files. */
  const survive = async (page: Page, lose: () => Promise<void>): Promise<MemoryFiles> => {
    await page.evaluate(() => {
      window.bench.start();
      return window.bench.reached(4);
    });
    await lose();
    const outcome = await ended(page);
    expect(outcome.status).toBe('finished');
    const told = await page.evaluate(() =>
      window.bench.events.flatMap((event): (string | number)[] =>
        event.type === 'note' ? [event.text] : event.type === 'facts' ? [event.facts.resumedStep] : [],
      ),
    );
    expect(told[0]).toBe(0);
    expect(told[1]).toMatch(/ was lost \(.+\); resuming from the last checkpoint\.$/);
    expect(told.at(-1)).toBe(3);
    expect(pages.problems).toEqual([]);
    return exported(page, outcome.id);
  };

  it('destroyed', async () => {
    const page = await pages.page(context, NAME, '?breakable');
    expectWhole(await survive(page, () => page.evaluate(() => window.bench.breakDevice())));
    await page.close();
  });

  it("crashed with the browser's GPU process", async () => {
    const page = await pages.page(context, NAME);
    expectWhole(await survive(page, () => pages.crashGpu()));
    await page.close();
  });
});
