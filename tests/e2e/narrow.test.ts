import { afterAll, beforeAll, expect, it } from 'vitest';
import { fits, inView, shownInForcedColors } from '../support/page-checks.ts';
import { CASE, chooseFiles, servePage } from './page-server.ts';

let server: Awaited<ReturnType<typeof servePage>>;
beforeAll(async () => {
  server = await servePage('dist/narrow-test');
});
afterAll(() => server?.close());

/** 1280 pixels at 200% zoom, and the width of a phone. */
it.each([640, 360])('nothing is cut off or scrolls sideways at %d pixels', async (width) => {
  const page = await server.open('holdAt=25', { viewport: { width, height: 800 }, reducedMotion: 'reduce' });
  const button = (name: string) => page.getByRole('button', { name });
  await fits(page, 'empty');
  await shownInForcedColors(page, [
    ['disabled stage', page.locator('nav .train button'), (stage) => stage.removeAttribute('disabled')],
  ]);
  await page.emulateMedia({ forcedColors: 'none' });
  await page.locator('[data-slot=base]').setInputFiles(`${CASE}/base`);
  await page.locator('[data-slot=source]').setInputFiles(`${CASE}/base`);
  await page.locator('[data-slot=recipe]').setInputFiles(`${CASE}/train.jsonl`);
  await page.getByText(/expected a PEFT adapter folder/).waitFor();
  await fits(page, 'wrong');
  await chooseFiles(page);
  await page.locator('[data-slot=recipe]').setInputFiles(`${CASE}/training_config.yaml`);
  await page.getByText('Ready to start').waitFor();
  await page.getByText('Memory by kind', { exact: true }).click();
  await fits(page, 'chosen');
  await shownInForcedColors(page, [
    ['bar of memory', page.locator('memory-bar svg').first(), (bar) => bar.replaceChildren()],
  ]);
  await page.emulateMedia({ forcedColors: 'none' });
  expect(await inView(button('Start training'))).toBe(true);
  await button('Start training').click();
  await page.getByText('Step 25 of 60').waitFor();
  await fits(page, 'training');
  await shownInForcedColors(page, [
    ['progress', page.locator('train-view progress'), (bar) => bar.setAttribute('value', '0')],
  ]);
  await page.getByRole('navigation').getByRole('button', { name: 'Recipe' }).click();
  await shownInForcedColors(page, [
    ['locked field', page.locator('[name=num_train_epochs]'), (field) => field.removeAttribute('disabled')],
  ]);
  await page.emulateMedia({ forcedColors: 'none' });
  await page.getByRole('navigation').getByRole('button', { name: 'Train', exact: true }).click();
  await button('Stop').click();
  await page.getByRole('heading', { name: 'Stopped' }).waitFor();
  await fits(page, 'stopped');
  await page.goto(`${server.url}tests/e2e/fake.html?steps=20`);
  await chooseFiles(page);
  await page.getByText('Ready to start').waitFor();
  await button('Start training').click();
  await page.getByRole('heading', { name: 'V2 is ready' }).waitFor();
  await page.getByLabel('Question').fill('Where is the fuse of the machine in the second room?');
  await button('Ask').click();
  await page.getByText('It costs 3.5 €.').waitFor();
  await page.getByText('Use V2 in Python').click();
  await fits(page, 'finished');
  for (const stage of ['Test', 'Runs']) {
    await page.getByRole('navigation').getByRole('button', { name: stage }).click();
    await fits(page, stage);
  }
  await shownInForcedColors(page, [
    ['stage', page.locator('nav [aria-current]'), (stage) => stage.removeAttribute('aria-current')],
    ['bar of storage', page.locator('storage-view svg').first(), (bar) => bar.replaceChildren()],
  ]);
  await page.context().close();
});
