import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { RetuneApp } from '../../src/app/retune-app.ts';
import { parseRecipe } from '../../src/formats/recipe.ts';
import { DATED_TEMPLATE, datedBase } from '../support/dated-base.ts';
import { button, DisturbedRun, engineOf, finished, slowDevice, stepDone } from '../support/disturbed-run.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { casePath } from '../support/model-case.ts';
import { Random } from '../support/random.ts';
import { pickCase, savedFiles } from '../support/real-page.ts';
import { caseInputs, run } from '../support/run-case.ts';
import { killWhileTraining } from '../support/training-kills.ts';
import { fingerprint, inside } from '../support/worker-page.ts';

const CASE = 'batch2';
const STEPS = 7;

const noted = (page: Page, text: RegExp) => page.getByRole('log').getByText(text).first().waitFor();

let scene: DisturbedRun;
beforeAll(async () => void (scene = await DisturbedRun.open(CASE, 'dist/page-rescue-test')));
afterAll(() => scene?.close());

it('after ten minutes without one a rescue checkpoint is saved, which the next replaces and a reload resumes from', async () => {
  const { context, page } = await scene.page({ handles: true });
  const slow = slowDevice(page);
  await page.goto(scene.host.url);
  await pickCase(page, CASE);
  const clock = await engineOf(page).evaluateHandle(() => {
    const now = performance.now.bind(performance);
    const ahead = { ms: 0 };
    performance.now = () => now() + ahead.ms;
    return ahead;
  });
  /** Waits ten minutes in a pause, and for the checkpoint that then comes. */
  const rescued = async (checkpoints: number): Promise<number[]> => {
    await button(page, 'Pause').click();
    await clock.evaluate((ahead) => void (ahead.ms += 600_000));
    await button(page, 'Resume').click();
    const lines = page.getByRole('log').getByText(/Checkpoint after step \d kept/);
    await lines.nth(checkpoints - 1).waitFor();
    return (await lines.allInnerTexts()).map((line) => Number(/step (\d)/.exec(line)![1]));
  };
  await button(page, 'Start training').click();
  await stepDone(page, 1, STEPS);
  const [first] = await rescued(1);
  expect(first).toBeLessThan(3);
  expect((await keptOf(page)).kept).toEqual([first]);
  await stepDone(page, 4, STEPS);
  // The recipe keeps two, and the first would be one of them.
  expect((await keptOf(page)).kept).toEqual([3]);
  const steps = await rescued(3);
  const latest = steps[2]!;
  expect(steps).toEqual([first, 3, latest]);
  expect([4, 5]).toContain(latest);
  expect((await keptOf(page)).kept).toEqual([3, latest]);
  slow.stop();
  await page.reload();
  await stepDone(page, latest + 1, STEPS);
  expect((await keptOf(page)).resumed).toBe(latest);
  await finished(page);
  expect((await keptOf(page)).kept).toEqual([6, 7]);
  scene.expectWhole(await savedFiles(page));
  await context.close();
});

it('a browser killed three times while training loses nothing that was kept', async () => {
  scene.expectWhole(await killWhileTraining(scene.host.url, CASE, new Random(Date.now()), 3));
});

it('shows the date that the template writes, and resumes another day on the date of the start', async () => {
  const yaml = readFileSync(casePath('chat_messages', 'training_config.yaml'), 'utf8')
    .replace('num_train_epochs: 1', 'max_steps: 2')
    .replace('gradient_accumulation_steps: 4', 'gradient_accumulation_steps: 1')
    .replace('save_steps: 3', 'save_steps: 1');
  const { recipe } = parseRecipe(yaml, 'training_config.yaml');
  const inputs = { ...(await caseInputs('chat_messages', () => recipe)), base: datedBase() };
  const unbroken = new MemoryStore();
  await run({ inputs, store: unbroken, moment: '2026-03-07T23:59:58' });

  const { context, page } = await scene.page({ handles: true });
  const slow = slowDevice(page);
  await page.goto(scene.host.url);
  await page.getByText(/Chrome offers only a software device/).waitFor();
  // Until the reload it is that evening, for the worker that trains.
  await engineOf(page).evaluate(() => {
    const Today = Date;
    globalThis.Date = class extends Today {
      constructor(...given: []) {
        super(...(given.length > 0 ? given : (['2026-03-07T23:59:58'] as unknown as [])));
      }
    } as DateConstructor;
  });
  const changes = { 'base/chat_template.jinja': DATED_TEMPLATE, 'training_config.yaml': yaml };
  await pickCase(page, 'chat_messages', changes);
  // Before the start it is today's.
  await page
    .getByText(/The chat template writes the current date: here (?!2026-03-07)[\d-]{10} /)
    .first()
    .waitFor();
  const startsDate = /The chat template writes the current date: here 2026-03-07 23:59:58\./;
  await button(page, 'Start training').click();
  await noted(page, startsDate);
  await stepDone(page, 1, 2);
  slow.stop();
  await page.reload();
  await noted(page, startsDate);
  await finished(page);
  const files = await savedFiles(page);
  expect(fingerprint(inside(files, 'checkpoint-2'))).toEqual(fingerprint(unbroken.saved.get(2)!));
  await context.close();
});

/** Steps of the checkpoints that the browser has of the latest run, and the one that the page's run went on from. */
const keptOf = (page: Page) =>
  page.evaluate(async () => {
    const { session } = document.querySelector<RetuneApp>('retune-app')!;
    await session.lineage.refresh();
    const { run, runs } = session.store.state;
    return { kept: runs[0]!.checkpoints.map(({ step }) => step), resumed: run?.facts?.resumedStep };
  });
