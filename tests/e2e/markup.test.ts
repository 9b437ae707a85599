import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CASE, chooseFiles, servePage } from './page-server.ts';

let server: Awaited<ReturnType<typeof servePage>>;
beforeAll(async () => {
  server = await servePage('dist/markup-test');
});
afterAll(() => server?.close());

/** Without the security headers, so that anything taken for markup does run. */
const open = (search: string) =>
  server.open(`markup&${search}`, { bypassCSP: true, reducedMotion: 'reduce' });
const button = (page: Page, name: string | RegExp) => page.getByRole('button', { name });
const ready = (page: Page) => page.getByText('Ready to start').waitFor();
const stage = (page: Page, name: string) =>
  page.getByRole('navigation', { name: 'Stages' }).getByRole('button', { name }).click();

/** What the page made of the markup: elements, handlers and scripts, and in how many places it appears as text. */
async function made(page: Page) {
  // Broken images report it a moment later.
  await page.waitForTimeout(100);
  return page.evaluate(() => {
    const elements: string[] = [];
    let texts = 0;
    const walk = (root: ParentNode): void => {
      for (const element of root.querySelectorAll('*')) {
        const handlers = [...element.attributes].filter(
          ({ name, value }) => name.startsWith('on') || /^\s*javascript:/i.test(value),
        );
        if (/^(x-injected|img|script|iframe|object|embed)$/.test(element.localName) || handlers.length > 0) {
          elements.push(element.outerHTML.slice(0, 200));
        }
        for (const node of element.childNodes) {
          if (node instanceof Text && node.data.includes('<x-injected>')) {
            texts++;
          }
        }
        if (element.shadowRoot) {
          walk(element.shadowRoot);
        }
      }
    };
    walk(document.querySelector('#app')!);
    return { elements, ran: 'ran' in globalThis, texts };
  });
}

/** Expects that nothing was made of it, although it appears in at least this many places. */
async function expectText(page: Page, places: number): Promise<void> {
  const { texts, ...rest } = await made(page);
  expect(rest).toEqual({ elements: [], ran: false });
  expect(texts).toBeGreaterThanOrEqual(places);
}

it.concurrent('would notice an element, a handler or a script of it', async () => {
  const page = await open('');
  await page.evaluate(() => {
    document.querySelector('#app')!.append(
      Object.assign(document.createElement('div'), {
        innerHTML: '<x-injected></x-injected><img src="x" onerror="ran = true">',
      }),
    );
  });
  await page.waitForFunction(() => 'ran' in globalThis);
  expect(await made(page)).toMatchObject({
    elements: [expect.stringContaining('<x-injected'), expect.stringContaining('<img')],
    ran: true,
  });
  await page.context().close();
});

it.concurrent('shows the markup in facts, rows, logs, checkpoints and chat as text', async () => {
  const page = await open('steps=20');
  await chooseFiles(page);
  await ready(page);
  await page.getByText('Memory by kind', { exact: true }).click();
  await button(page, 'Take some from the rows').click();
  await page.getByLabel('Prompt 1').waitFor();
  await ready(page);
  await expectText(page, 5);
  await button(page, 'Start training').click();
  await page.getByRole('heading', { name: 'V2 is ready' }).waitFor();
  await page.getByLabel('Question').fill('Where?');
  await button(page, 'Ask').click();
  await page.getByText('It costs 3.5 €.').waitFor();
  await page.locator('film-strip ol').first().waitFor();
  await expectText(page, 10);
  await button(page, /^Use V2 in other programs/).click();
  await page.getByRole('heading', { name: 'Use V2' }).waitFor();
  await page.getByText(/^v2-merged: /).waitFor();
  await expectText(page, 2);
  await stage(page, 'Runs');
  await page.locator('family-tree button').last().click();
  await page.locator('runs-detail-view line-chart').waitFor();
  await expectText(page, 3);
  await page.context().close();
});

it.concurrent(
  'shows the markup of runs, their notes, tests, questions, answers and stored things as text',
  async () => {
    const page = await open('family&tested=12');
    await stage(page, 'Runs');
    for (const member of await page.locator('family-tree button').all()) {
      await member.click();
    }
    await page.locator('runs-detail-view').waitFor();
    await expectText(page, 8);
    await stage(page, 'Test');
    await button(page, /^Open questions\.json/).click();
    await page.getByRole('heading', { name: /No clear difference between/ }).waitFor();
    await page.locator('compare-table-view tbody tr').first().waitFor();
    await expectText(page, 40);
    await page.context().close();
  },
);

it.concurrent('shows the markup of errors as text', async () => {
  const failed = await open('failsAt=3');
  await chooseFiles(failed);
  await ready(failed);
  await button(failed, 'Start training').click();
  await failed.getByRole('alert').getByText('Step 3: the loss is not a number').waitFor();
  await expectText(failed, 1);
  await failed.context().close();

  const elsewhere = await open('elsewhere=training&unfinished');
  await elsewhere.getByText(/^Another tab of this browser is training/).waitFor();
  await expectText(elsewhere, 1);
  await elsewhere.context().close();

  const wrong = await open('device=none');
  const buffer = Buffer.from('{');
  await wrong.locator('[data-slot=base]').setInputFiles(`${CASE}/base`);
  await wrong.locator('[data-slot=source]').setInputFiles(`${CASE}/base`);
  await wrong.locator('[data-slot=train]').setInputFiles({ name: 'rows.jsonl', mimeType: '', buffer });
  await wrong.locator('[data-slot=recipe]').setInputFiles({ name: 'recipe.yaml', mimeType: '', buffer });
  await wrong.getByText(/adapter_config\.json is missing/).waitFor();
  await wrong.getByText(/rows\.jsonl: line 1 is not JSON/).waitFor();
  await expectText(wrong, 3);
  await wrong.context().close();
});
