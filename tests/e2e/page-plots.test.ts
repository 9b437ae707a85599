import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { accessibleInBothSchemes, shownInForcedColors } from '../support/page-checks.ts';
import { chooseFiles, servePage } from './page-server.ts';

let server: Awaited<ReturnType<typeof servePage>>;
beforeAll(async () => {
  server = await servePage('dist/page-plots');
});
afterAll(() => server?.close());

const SLIDER = 'input[aria-label^="Values of Loss"]';
const openPlot = async (page: Page) => {
  await page.getByRole('navigation', { name: 'Stages' }).getByRole('button', { name: 'Runs' }).click();
  await page
    .locator('family-tree')
    .getByRole('button', { name: /v1 \+ train/ })
    .click();
  return page.locator('runs-detail-view line-chart');
};
const saved = async (page: Page, press: () => Promise<void>) => {
  const [download] = await Promise.all([page.waitForEvent('download'), press()]);
  return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
};

it.concurrent('tells the values at the crosshair, smooths, zooms and saves a plot', async () => {
  const page = await server.open('family', { reducedMotion: 'reduce' });
  const plot = await openPlot(page);
  const caption = plot.locator('figcaption');
  const slider = plot.locator(SLIDER);
  // The mouse: the middle of the plot is near the middle of 60 steps.
  const area = plot.locator('.u-over');
  await area.hover();
  await caption.getByText(/^step (?:30|35)$/).waitFor();
  await page.mouse.move(0, 0);
  await caption.getByText(/^step/).waitFor({ state: 'detached' });
  // The keyboard.
  await slider.focus();
  await caption.getByText('step 60', { exact: true }).waitFor();
  await page.keyboard.press('Home');
  await caption.getByText('step 5', { exact: true }).waitFor();
  expect(await slider.getAttribute('aria-valuetext')).toMatch(/^Step 5: loss \d\.\d+, eval loss –$/);
  await page.keyboard.press('+');
  const reset = plot.getByRole('button', { name: 'Show all steps' });
  await reset.waitFor();
  await page.keyboard.press('Escape');
  await reset.waitFor({ state: 'detached' });
  // Selecting steps with the mouse.
  await area.hover();
  const box = (await area.boundingBox())!;
  await page.mouse.move(box.x + box.width * 0.2, box.y + 20);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.6, box.y + 30, { steps: 4 });
  await page.mouse.up();
  await reset.click();
  await reset.waitFor({ state: 'detached' });

  const canvas = () => plot.locator('canvas').evaluate((it) => (it as HTMLCanvasElement).toDataURL());
  const before = await canvas();
  await plot.getByText('Options', { exact: false }).first().click();
  await plot.getByLabel('Smoothing').fill('0.9');
  const smooth = await expectOther(canvas, before);
  await plot.getByLabel('Log scale').check();
  await expectOther(canvas, smooth);
  await accessibleInBothSchemes(page, 'with its options');
  const csv = await saved(page, () => plot.getByRole('button', { name: 'CSV' }).click());
  expect(csv.name).toBe('loss.csv');
  const lines = csv.bytes.toString().split('\r\n');
  expect(lines[0]).toBe('step,loss,eval loss');
  expect(lines[1]).toMatch(/^5,\d\.\d{10,},$/);
  expect(lines.length).toBe(14);
  const png = await saved(page, () => plot.getByRole('button', { name: 'PNG' }).click());
  expect(png.name).toBe('loss.png');
  expect(png.bytes.subarray(1, 4).toString()).toBe('PNG');
  await shownInForcedColors(page, [
    ['lines', plot.locator('canvas'), (it) => ((it as HTMLCanvasElement).width = 0)],
  ]);
  await page.context().close();
});

/** Waits until the canvas shows something else, and returns it. */
async function expectOther(canvas: () => Promise<string>, before: string): Promise<string> {
  for (let i = 0; i < 100; i++) {
    const now = await canvas();
    if (now !== before) {
      return now;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('the canvas did not change');
}

it.concurrent('shows the learning rate of the run before it starts', async () => {
  const page = await server.open('steps=60', { reducedMotion: 'reduce' });
  await chooseFiles(page);
  await page.getByText('Ready to start').waitFor();
  const rate = (text: string) => page.getByRole('img', { name: `Learning rate of this run. rate: ${text}` });
  await rate('from 5.00e-5 at step 1 to 8.33e-7 at step 60.').waitFor();
  await page.locator('input[name=warmup_ratio]').fill('0.5');
  await rate('from 0.00e+0 at step 1 to 1.67e-6 at step 60.').waitFor();
  await page.context().close();
});
