import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { findBrowser } from '../../src/cli/software-vulkan.ts';
import { BROWSER_ARGS } from '../support/browser-args.ts';
import { casePath } from '../support/model-case.ts';
import { accessible, fits } from '../support/page-checks.ts';
import { chooseCase, StaticHost } from '../support/real-page.ts';

const CASE = 'batch2';

let host: StaticHost;
const profiles: string[] = [];
const contexts: BrowserContext[] = [];
beforeAll(async () => {
  host = await StaticHost.open('dist/page-storage-test');
});
afterAll(async () => {
  for (const context of contexts) {
    await context.close();
  }
  for (const profile of profiles) {
    rmSync(profile, { recursive: true, force: true });
  }
  await host?.close();
});

/** The page in a browser with these `preferences`, and its uncaught errors. */
async function openPage(preferences: object): Promise<{ page: Page; problems: string[] }> {
  const profile = mkdtempSync(join(tmpdir(), 'retune-profile-'));
  profiles.push(profile);
  mkdirSync(join(profile, 'Default'));
  writeFileSync(join(profile, 'Default/Preferences'), JSON.stringify(preferences));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: findBrowser()!,
    args: BROWSER_ARGS,
  });
  contexts.push(context);
  const page = await context.newPage();
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(error.message));
  await page.goto(host.url);
  return { page, problems };
}

const button = (page: Page, name: string) => page.getByRole('button', { name });
const NOT_KEPT =
  /^The browser does not let this page keep anything \(\w+\); allow site data for this address in the browser's settings, then reload the page\. Until then you can look at files and plan a run, but not train or test: nothing of it would stay\.$/;

it('where site data is blocked files are read and a run is planned, and nothing starts', async () => {
  const { page, problems } = await openPage({ profile: { default_content_setting_values: { cookies: 2 } } });
  await page.getByRole('alert').getByText(NOT_KEPT).waitFor();
  await page.getByText(/Not available offline: the browser did not store the page \(\w+\)\./).waitFor();
  await page.locator('[data-slot=base]').setInputFiles(casePath(CASE, 'base'));
  await page.locator('[data-slot=source]').setInputFiles(casePath(CASE, 'v1'));
  await page.locator('[data-slot=train]').setInputFiles(casePath(CASE, 'train.jsonl'));
  await page.getByRole('group', { name: 'Row of line 1', exact: true }).waitFor();
  await page.getByText(/^Takes .* in all/).waitFor();
  await page.getByText('The browser stores none: see above.').waitFor();
  await page.getByText('Fix first: Space for checkpoints.').waitFor();
  await button(page, 'Start training').click({ force: true });
  await page.getByLabel('GPU memory at most').fill('2');
  await page.getByText('They count until the page is closed').waitFor();
  await accessible(page, 'nothing kept');
  await page.setViewportSize({ width: 360, height: 800 });
  await fits(page, 'nothing kept');
  await button(page, 'Look again').click();
  await page.getByRole('alert').getByText(NOT_KEPT).waitFor();
  await page.getByRole('navigation').getByRole('button', { name: 'Runs' }).click();
  await page.getByText('The runs that this browser stored cannot be read.').waitFor();
  expect(await page.getByText('Unexpected error').count()).toBe(0);
  expect(problems).toEqual([]);
});

it('where the database fails before the start the run does not begin, and does once it is mended', async () => {
  const { page, problems } = await openPage({});
  await chooseCase(page, CASE);
  const engine = page.workers().find((worker) => worker.url().includes('/host-'))!;
  await engine.evaluate(() => {
    const { put } = IDBObjectStore.prototype;
    Object.assign(globalThis, { mend: () => (IDBObjectStore.prototype.put = put) });
    IDBObjectStore.prototype.put = () => {
      throw new DOMException('injected', 'QuotaExceededError');
    };
  });
  await button(page, 'Start training').click();
  await page
    .getByRole('alert')
    .getByText(/^The browser has no room left for what was to be kept; delete earlier runs or free some disk/)
    .waitFor();
  expect(await page.getByRole('heading', { name: 'Choose three things' }).isVisible()).toBe(true);
  await engine.evaluate(() => (globalThis as unknown as { mend(): void }).mend());
  await button(page, 'Look again').click();
  await page.getByText('Ready to start').waitFor();
  expect(await page.getByRole('alert').count()).toBe(0);
  expect(problems).toEqual([]);
});
