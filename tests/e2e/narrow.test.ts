import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CASE, chooseFiles, servePage } from './page-server.ts';

let server: Awaited<ReturnType<typeof servePage>>;
beforeAll(async () => {
  server = await servePage('dist/narrow-test');
});
afterAll(() => server?.close());

/** 1280 pixels at 200% zoom, and a telephone's width. */
it.each([640, 360])('nothing is cut off or scrolls sideways at %d pixels', async (width) => {
  const page = await server.open('holdAt=25', { viewport: { width, height: 800 }, reducedMotion: 'reduce' });
  const button = (name: string) => page.getByRole('button', { name });
  await fits(page, 'empty');
  await page.locator('[data-slot=base]').setInputFiles(`${CASE}/base`);
  await page.locator('[data-slot=source]').setInputFiles(`${CASE}/base`);
  await page.locator('[data-slot=recipe]').setInputFiles(`${CASE}/train.jsonl`);
  await page.getByText(/expected a PEFT adapter folder/).waitFor();
  await fits(page, 'wrong');
  await chooseFiles(page);
  await page.locator('[data-slot=recipe]').setInputFiles(`${CASE}/training_config.yaml`);
  await page.getByText('Everything is in order').waitFor();
  await page.getByText('Memory by kind', { exact: true }).click();
  await fits(page, 'chosen');
  await button('Start training').click();
  await page.getByText('Step 25 of 60').waitFor();
  await fits(page, 'training');
  await button('Stop').click();
  await page.getByRole('heading', { name: 'Stopped' }).waitFor();
  await fits(page, 'stopped');
  await page.goto(`${server.url}tests/e2e/fake.html?steps=20`);
  await chooseFiles(page);
  await page.getByText('Everything is in order').waitFor();
  await button('Start training').click();
  await page.getByRole('heading', { name: 'V2 is ready' }).waitFor();
  await page.getByLabel('Question').fill('Where is the fuse of the machine in the second room?');
  await button('Ask').click();
  await page.getByText('It costs 3.5 €.').waitFor();
  await fits(page, 'finished');
  for (const stage of ['Test', 'Runs']) {
    await page.getByRole('navigation').getByRole('button', { name: stage }).click();
    await fits(page, stage);
  }
  await page.context().close();
});

/** Fails where the page scrolls sideways, or something lies outside the window or its own box. */
async function fits(page: Page, stage: string): Promise<void> {
  const outside = await page.evaluate(() => {
    const found: string[] = [];
    const all = (root: ParentNode): Element[] =>
      [...root.querySelectorAll('*')].flatMap((element) => [
        element,
        ...(element.shadowRoot ? all(element.shadowRoot) : []),
      ]);
    const scrolls = (element: Element): boolean => {
      for (
        let at: Element | null = element;
        at;
        at = at.parentElement ?? (at.getRootNode() as ShadowRoot).host
      )
        if (['auto', 'scroll'].includes(getComputedStyle(at).overflowX)) return true;
      return false;
    };
    const root = document.documentElement;
    if (root.scrollWidth > root.clientWidth) found.push(`the page is ${root.scrollWidth} wide`);
    for (const element of all(document)) {
      const { width, left, right } = element.getBoundingClientRect();
      const heard = getComputedStyle(element).clipPath !== 'none';
      if (width <= 1 || heard || scrolls(element)) continue;
      if (left < -1 || right > root.clientWidth + 1)
        found.push(`${element.localName}.${element.className}: ${left} to ${right}`);
      const cut =
        getComputedStyle(element).overflowX !== 'visible' && element.scrollWidth > element.clientWidth + 1;
      if (cut && element.clientWidth > 0 && element.localName !== 'input')
        found.push(
          `${element.localName}.${element.className}: ${element.scrollWidth} in ${element.clientWidth}`,
        );
    }
    return found;
  });
  expect(outside, stage).toEqual([]);
}
