import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accessible } from '../support/page-checks.ts';
import { chooseFiles, servePage } from './page-server.ts';

let server: Awaited<ReturnType<typeof servePage>>;
beforeAll(async () => {
  server = await servePage('dist/addresses-test');
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
    await page.getByText('Everything is in order').waitFor();
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
