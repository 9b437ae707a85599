import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { RetuneApp } from '../../src/app/retune-app.ts';
import { button, DisturbedRun, engineOf, finished, slowDevice, stepDone } from '../support/disturbed-run.ts';
import { Random } from '../support/random.ts';
import { pickCase, savedFiles } from '../support/real-page.ts';
import { killWhileTraining } from '../support/training-kills.ts';

const CASE = 'batch2';
const STEPS = 7;

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

/** Steps of the checkpointsthat the browser has of the latest run, and the one that the page's run went on from. */
const keptOf = (page: Page) =>
  page.evaluate(async () => {
    const { session } = document.querySelector<RetuneApp>('retune-app')!;
    await session.lineage.refresh();
    const { run, runs } = session.store.state;
    return { kept: runs[0]!.checkpoints.map(({ step }) => step), resumed: run?.facts?.resumedStep };
  });
