import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accessible, accessibleInBothSchemes, fits } from '../support/page-checks.ts';
import { CASE, chooseFiles, servePage } from './page-server.ts';

let server: Awaited<ReturnType<typeof servePage>>;
beforeAll(async () => {
  server = await servePage('dist/page-runs-test');
});
afterAll(() => server?.close());

const press = (page: Page, name: string | RegExp) =>
  page.getByRole('button', { name, exact: typeof name === 'string' }).click();
const stage = (page: Page, name: string) =>
  page.getByRole('navigation', { name: 'Stages' }).getByRole('button', { name }).click();
const heading = (page: Page, name: string | RegExp) => page.getByRole('heading', { name }).first().waitFor();
const hash = (page: Page) => page.evaluate(() => location.hash);
const goTo = (page: Page, to: string) => page.evaluate((to) => void (location.hash = to), to);
/** Waits until the page is at an address. */
const at = (page: Page, address: string) =>
  page.waitForFunction((address) => location.hash === address, address);

describe.concurrent('every place has an address', () => {
  it('that Back, Forward and a reload lead to', async () => {
    const page = await server.open('family&tested=12');
    expect(await hash(page)).toBe('');
    await stage(page, 'Runs');
    await at(page, '#runs');
    expect(await page.title()).toBe('Runs · Retune');
    await page
      .locator('family-tree')
      .getByRole('button', { name: /V3 with the prices/ })
      .click();
    await at(page, '#runs/run-v3');
    expect(await page.title()).toBe('V3 with the prices · Retune');
    await stage(page, 'Test');
    await page.locator('test-list-view').getByRole('button').first().click();
    await heading(page, 'Side by side');
    const tested = await hash(page);
    expect(tested).toMatch(/^#test\/./);
    await page.goBack();
    await at(page, '#test');
    await page.getByRole('heading', { name: 'Side by side' }).waitFor({ state: 'detached' });
    await page.goBack();
    await page.locator('h2:focus', { hasText: 'Runs' }).waitFor();
    await page.locator('runs-detail-view').getByRole('heading', { name: 'V3 with the prices' }).waitFor();
    const recipes = page.locator('recipes-side-view');
    await recipes.getByText('1 difference.').waitFor();
    expect(await recipes.getByRole('row', { name: /differs: Learning rate/ }).innerText()).toMatch(
      /5e-5\s+1e-4/,
    );
    await page.goForward();
    await page.goForward();
    await heading(page, 'Side by side');
    expect(await hash(page)).toBe(tested);
    await page.reload();
    await heading(page, 'Side by side');
    await stage(page, 'Recipe');
    await at(page, '#recipe');
    await goTo(page, '#train/run-v3');
    await heading(page, /^V\d is ready$/);
    expect(await page.title()).toBe('Done · V3 with the prices · Retune');
    await page.reload();
    await heading(page, /^V\d is ready$/);
    await page.goBack();
    await page.locator('h2:focus', { hasText: 'Recipe' }).waitFor();
    await page.context().close();
  });

  it('also a run under way, which keeps one entry of the history', async () => {
    const page = await server.open('holdAt=20&pace=1');
    await goTo(page, '#train');
    await page.getByText('No run is open: start one here').waitFor();
    await chooseFiles(page);
    await page.getByText('Ready to start').waitFor();
    const before = await page.evaluate(() => history.length);
    await press(page, 'Start training');
    await page.getByText('Step 20 of 60').waitFor();
    expect(await hash(page)).toBe('#train');
    await page.goBack();
    await heading(page, 'Choose three things');
    expect(await page.title()).toMatch(/^33% · loss .* · Retune$/);
    await page.goForward();
    await heading(page, 'Training');
    await press(page, 'Stop');
    await heading(page, 'Stopped');
    expect(await hash(page)).toMatch(/^#train\/[\da-f-]{36}$/);
    expect(await page.evaluate(() => history.length)).toBe(before + 1);
    await page.context().close();
  });

  it('and says what is not there any more, and leads on', async () => {
    const page = await server.open('family&tested=12');
    await goTo(page, '#runs/deleted');
    await page.getByText('The run of this address is not in this browser').waitFor();
    await heading(page, 'Family tree');
    expect(await hash(page)).toBe('#runs');
    await accessible(page, 'gone');
    await goTo(page, '#test/%ff');
    await page.getByText('The test of this address is not in this browser').waitFor();
    expect(await page.locator('test-list-view').getByRole('button').count()).toBeGreaterThan(0);
    await goTo(page, '#use/deleted/20');
    await page.getByText('The run of this address is not in this browser').waitFor();
    await goTo(page, '#train');
    await page.getByText(/^The run half of the prices is unfinished/).waitFor();
    await goTo(page, '#runs/run-v3/<b>');
    await page.getByText('Nothing on this page has this address').waitFor();
    await heading(page, 'Choose three things');
    await stage(page, 'Runs');
    await page.getByText('Nothing on this page has this address').waitFor({ state: 'detached' });
    await page.context().close();
  });
});

/** Types a sample prompt, takes others from the rows, and leaves only four. */
async function choosePrompts(page: Page): Promise<void> {
  const focused = () =>
    page.evaluate(() => {
      let at = document.activeElement;
      while (at?.shadowRoot?.activeElement) {
        at = at.shadowRoot.activeElement;
      }
      return at?.getAttribute('aria-label') ?? at?.textContent?.trim();
    });
  await press(page, 'Add a prompt');
  await page.getByLabel('Prompt 1').waitFor();
  expect(await focused()).toBe('Prompt 1');
  await page.keyboard.type('Why so?');
  await press(page, 'Take some from the rows');
  await page.getByLabel('Prompt 5').waitFor();
  expect((await page.getByLabel('Prompt 2').inputValue()).length).toBeGreaterThan(3);
  await press(page, 'Remove prompt 5');
  await page.getByLabel('Prompt 5').waitFor({ state: 'detached' });
  expect(await focused()).toBe('Prompt 4');
}

/** What changed from frame to frame is marked, by keyboard, in a narrow window, in the dark and in forced colors. */
async function showsFilm(page: Page): Promise<void> {
  const film = page.locator('train-view film-strip');
  const strip = film.getByRole('list', { name: 'Answers to: Why so?' });
  expect(await film.getByRole('list').count()).toBe(4);
  expect(await strip.getByRole('listitem').locator('.steps').allTextContents()).toEqual([
    'Before step 1',
    'Step 10',
    'Step 20',
  ]);
  const last = strip.getByRole('listitem').last();
  // White space is shown as it is: none of it may be the markup's.
  expect(
    await strip
      .locator('.answer')
      .first()
      .evaluate((answer) => answer.textContent),
  ).toMatch(/^After/);
  expect(await last.locator('ins').allTextContents()).toEqual(['[added: 20]']);
  expect(await last.locator('del').allTextContents()).toEqual(['[gone: 10]']);
  const size = page.viewportSize()!;
  await page.setViewportSize({ width: 400, height: 800 });
  await fits(page, 'film in a narrow window');
  await strip.focus();
  await page.keyboard.press('ArrowRight');
  await strip.evaluate(
    (list) =>
      new Promise<void>((done) => {
        const look = () => (list.scrollLeft > 0 ? done() : requestAnimationFrame(look));
        look();
      }),
  );
  await page.setViewportSize(size);
  await accessibleInBothSchemes(page, 'film');
  await page.emulateMedia({ forcedColors: 'active' });
  const lines = () =>
    last
      .locator('ins, del')
      .evaluateAll((marks) => marks.map((mark) => getComputedStyle(mark).textDecorationLine));
  expect(await lines()).toEqual(['line-through', 'underline']);
  await page.emulateMedia({ forcedColors: 'none' });
}

describe.concurrent('a run', () => {
  it('shows its recipe while it is under way, and is run again with all that it had', async () => {
    const page = await server.open('holdAt=20&pace=1');
    const rate = page.locator('input[name=learning_rate]');
    await chooseFiles(page);
    await rate.fill('3e-4');
    await choosePrompts(page);
    await page.getByText('Ready to start').waitFor();
    await press(page, 'Start training');
    await page.getByText('Step 20 of 60').waitFor();
    await showsFilm(page);
    await stage(page, 'Recipe');
    await page.getByText(/This is the recipe of v1 \+ train\.jsonl, which is under way/).waitFor();
    expect(await rate.isDisabled()).toBe(true);
    expect(await rate.inputValue()).toBe('3e-4');
    expect(await page.getByLabel('Prompt 1').isDisabled()).toBe(true);
    await accessible(page, 'recipe of a run under way');
    await stage(page, 'Runs');
    await page.locator('family-tree button').last().click();
    expect(await page.locator('runs-detail-view film-strip').getByRole('listitem').count()).toBe(12);
    await stage(page, 'Train');
    await press(page, 'Stop');
    await heading(page, 'Stopped');
    await stage(page, 'Choose');
    // Everything else is chosen and set anew.
    await press(page, 'Reset to the defaults');
    await page.locator('[data-slot=train]').setInputFiles(`${CASE}/val.jsonl`);
    await page.locator('choice-card').filter({ hasText: 'val.jsonl' }).waitFor();
    expect(await rate.inputValue()).not.toBe('3e-4');
    await stage(page, 'Train');
    await press(page, 'Run again with changes');
    await page.getByText('Ready to start').waitFor();
    expect(await rate.inputValue()).toBe('3e-4');
    expect(await page.getByLabel('Prompt 1').inputValue()).toBe('Why so?');
    await page.locator('choice-card').filter({ hasText: 'as in v1 + train.jsonl' }).waitFor();
    await page
      .locator('choice-card')
      .filter({ hasText: /train\.jsonl/ })
      .first()
      .waitFor();
    expect(await page.locator('choice-card').filter({ hasText: 'val.jsonl' }).count()).toBe(0);
    await page.context().close();
  });

  it('says what of it must be chosen again to run it again', async () => {
    const page = await server.open('family');
    await goTo(page, '#runs/run-v3');
    await press(page, 'Run again with changes');
    await page.getByText(/^This browser keeps no way to base, v1, train.jsonl, val.jsonl any more/).waitFor();
    await chooseFiles(page);
    await page.getByText(/^This browser keeps no way to val.jsonl any more: choose it again below/).waitFor();
    await page.context().close();
  });

  it('tells what merging its result changes', async () => {
    const page = await server.open('family&holdLosses&holdAt=1');
    await goTo(page, '#use/run-v3');
    const losses = page.locator('merge-losses-view');
    await losses.getByText('The base’s folder is needed.').waitFor();
    await losses.getByText('from the run').waitFor();
    await page.locator('[data-slot=base]').setInputFiles(`${CASE}/base`);
    await page.getByText(/^v3-merged: .* will be written\.$/).waitFor();
    await press(page, 'Measure both losses');
    await losses.getByText('Checking that this is the base', { exact: true }).waitFor();
    await press(page, 'Cancel the measurement');
    await losses.getByText('The measurement was canceled.').waitFor();
    await press(page, 'Measure both losses');
    await losses.getByText('eval_loss over 60 rows: 0.3442 as trained, 0.3502 as written.').waitFor();
    await page.getByLabel('their NF4 values').check();
    await page.getByText(/^v3-merged: .* will be written\.$/).waitFor();
    await press(page, 'Measure both losses');
    const row = (name: RegExp) => losses.getByRole('row', { name }).getByRole('cell').allInnerTexts();
    await losses.getByRole('row', { name: /onto their NF4 values/ }).waitFor();
    expect(await row(/onto their NF4 values/)).toEqual(['0.3442', '0.3441', '−0.0001']);
    expect(await row(/onto the base’s own weights/)).toEqual(['0.3442', '0.3502', '+0.0060']);
    await accessible(page, 'measured losses');
    await page.setViewportSize({ width: 360, height: 780 });
    await fits(page, 'measured losses 360');
    await page.getByLabel('Type of the weights').selectOption('f32');
    await press(page, 'Measure both losses');
    await losses.getByText(/^GPU memory: 7000 MiB are needed/).waitFor();
    await losses.locator('[data-slot=losses]').setInputFiles(`${CASE}/val.jsonl`);
    await losses.getByText('chosen here').waitFor();
    expect(await losses.getByRole('row').count()).toBe(0);
    await page.getByLabel('GGUF, adapter only').check();
    await losses.getByText('What merging changes').waitFor({ state: 'detached' });
    await page.getByLabel('GGUF', { exact: true }).check();
    await stage(page, 'Choose');
    await chooseFiles(page);
    await page.getByText('Ready to start').waitFor();
    await press(page, 'Start training');
    await page.getByText('Step 1 of 60').waitFor();
    await goTo(page, '#use/run-v3');
    await losses.getByText('A run is using the GPU: wait for it, or stop it.').waitFor();
    await page.context().close();
  });

  it('tells of its end where that was allowed, which only a press asks for', async () => {
    const context = await server.browser.newContext({ reducedMotion: 'reduce' });
    await context.addInitScript(() => {
      const shown: string[] = [];
      class Stub {
        static permission = 'default';
        static requestPermission() {
          return new Promise((resolve) => {
            Object.assign(globalThis, {
              answer: (answer: string) => resolve((Stub.permission = answer)),
            });
          });
        }
        constructor(title: string, { body }: { body: string }) {
          shown.push(`${title} | ${body}`);
        }
        close() {}
      }
      Object.assign(globalThis, { Notification: Stub, shown });
      Object.defineProperty(document, 'visibilityState', { get: () => 'hidden' });
    });
    const page = await context.newPage();
    const answer = (given: string) =>
      page.evaluate(
        (given) => (globalThis as unknown as { answer(given: string): void }).answer(given),
        given,
      );
    const shown = () => page.evaluate(() => (globalThis as unknown as { shown: string[] }).shown);
    const option = page.getByLabel('Notify me when it ends');
    await page.goto(`${server.url}tests/e2e/fake.html?holdAt=20&pace=1`);
    await chooseFiles(page);
    await page.getByText('Ready to start').waitFor();
    await press(page, 'Start training');
    await page.getByText('Step 20 of 60').waitFor();
    expect(await option.isChecked()).toBe(false);
    await option.check();
    const question = page.getByText('The browser asks whether Retune may show notifications');
    await question.waitFor();
    await accessible(page, 'a question of the browser');
    await press(page, 'Cancel');
    await question.waitFor({ state: 'detached' });
    expect(await option.isChecked()).toBe(false);
    await option.check();
    await answer('denied');
    await page.getByText('The browser blocks notifications of this address').waitFor();
    expect(await option.isChecked()).toBe(false);
    await option.check();
    await answer('granted');
    await question.waitFor({ state: 'detached' });
    expect(await option.isChecked()).toBe(true);
    await press(page, 'Stop');
    await heading(page, 'Stopped');
    expect(await shown()).toEqual(['The run is stopped | v1 + train.jsonl, at step 20']);
    await context.close();
  });

  it('whose files the browser asks about says so, and waits only as long as the user wants', async () => {
    const page = await server.open('unfinished&handles&asks&pace=1');
    const question = (name: string) =>
      page.getByText(`The browser asks whether Retune may read ${name}, to continue the run`);
    const answer = (given: string) =>
      page.evaluate((detail) => dispatchEvent(new CustomEvent('permission', { detail })), given);
    await press(page, 'Continue the run');
    await question('base').waitFor();
    await press(page, 'Cancel');
    await page
      .getByText(/To resume it, choose the same files again below: base, v1, train.jsonl\.$/)
      .waitFor();
    expect(await question('base').count()).toBe(0);
    await page.goto(`${server.url}tests/e2e/fake.html?unfinished&handles&asks&pace=2`);
    await press(page, 'Continue the run');
    for (const name of ['base', 'v1', 'train.jsonl']) {
      await question(name).waitFor();
      await answer('granted');
    }
    await heading(page, 'V2 is ready');
    await page.context().close();
  });
});
