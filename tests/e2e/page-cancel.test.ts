import { type Browser, chromium, type Page, type Worker } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { findBrowser } from '../../src/cli/software-vulkan.ts';
import { BROWSER_ARGS } from '../support/browser-args.ts';
import { slowDevice } from '../support/disturbed-run.ts';
import { casePath } from '../support/model-case.ts';
import { chooseCase, reachedStep, StaticHost } from '../support/real-page.ts';

const CASE = 'batch2';

let host: StaticHost;
let browser: Browser;
let page: Page;
let slow: ReturnType<typeof slowDevice>;

beforeAll(async () => {
  host = await StaticHost.open('dist/page-cancel-test', { device: 'null' });
  browser = await chromium.launch({ executablePath: findBrowser()!, args: BROWSER_ARGS });
  page = await (await browser.newContext()).newPage();
  page.setDefaultTimeout(60_000);
  slow = slowDevice(page);
  await page.goto(host.url);
});

afterAll(async () => {
  await browser?.close();
  await host?.close();
});

/** The latest worker: one terminated in the middle of a loop stays for two more seconds. */
const workerOf = (name: 'host' | 'reader-host'): Worker =>
  page.workers().findLast((worker) => new URL(worker.url()).pathname.includes(`/${name}-`))!;

/** Makes a worker run forever, as a hostile file that nobody anticipated might. */
async function hang(name: 'host' | 'reader-host'): Promise<Worker> {
  const worker = workerOf(name);
  // Not within the evaluation: Chrome never terminates what its debugger runs.
  await worker.evaluate(
    () =>
      void setTimeout(() => {
        for (;;) {
          // Never ends.
        }
      }),
  );
  const deaf = worker.evaluate(() => 'hears').catch(() => 'ended');
  const after = new Promise((resolve) => setTimeout(() => resolve('deaf'), 300));
  expect(await Promise.race([deaf, after])).toBe('deaf');
  return worker;
}

const choose = (slot: string, path: string) => page.locator(`[data-slot=${slot}]`).setInputFiles(path);
const card = (slot: string) =>
  page.locator('choice-card').filter({ has: page.locator(`[data-slot=${slot}]`) });

it('a file that is never read to its end is canceled in one sentence, and the next one is read', async () => {
  await choose('base', casePath(CASE, 'base'));
  await page.getByText('Qwen2, 2 layers').waitFor();
  const stuck = await hang('reader-host');
  await choose('train', casePath(CASE, 'train.jsonl'));
  await card('train').getByText('Reading…').waitFor();
  await card('train').getByRole('button', { name: 'Cancel' }).click();
  await card('train')
    .getByText('train.jsonl: reading it was canceled; choose it again, or another one.')
    .waitFor();
  await choose('train', casePath(CASE, 'train.jsonl'));
  await card('train').locator('dl').waitFor();
  await expect.poll(() => page.workers(), { timeout: 10_000 }).not.toContain(stuck);
});

it('another file takes the place of one that is still being read', async () => {
  await hang('reader-host');
  await choose('source', casePath(CASE, 'v1'));
  await choose('validation', casePath(CASE, 'train.jsonl'));
  await card('validation').getByText('Reading…').waitFor();
  await choose('validation', casePath(CASE, 'val.jsonl'));
  await card('validation').locator('dl').waitFor();
  // Requests made at the same time are repeated, not lost.
  await card('source').locator('dl').waitFor();
});

it('an import is canceled and leaves nothing', async () => {
  await page.getByRole('button', { name: 'Runs' }).click();
  await hang('reader-host');
  await choose('import', casePath(CASE, 'train.jsonl'));
  await page.getByRole('button', { name: 'Importing…' }).waitFor();
  await page.getByRole('button', { name: 'Cancel the import' }).click();
  await page
    .getByText('train.jsonl: the import was canceled and nothing was kept; choose it again to import it.')
    .waitFor();
  await choose('import', casePath(CASE, 'train.jsonl'));
  await page.getByText('train.jsonl: this is not a zip file, or its end is missing').waitFor();
  await page.getByText('No runs yet').waitFor();
});

it('a file that hangs does not disturb a run, and a run that hangs is ended and resumes', async () => {
  await page.getByRole('button', { name: 'Choose', exact: true }).click();
  await chooseCase(page, CASE);
  await page.getByRole('button', { name: 'Start training' }).click();
  // What begins shows itself, wherever the page is by then.
  await page.getByRole('heading', { name: /^(Getting ready|Training)$/ }).waitFor();
  await page.getByRole('button', { name: 'Test' }).click();
  await hang('reader-host');
  await choose('questions', casePath(CASE, 'train.jsonl'));
  await card('questions').getByText('Reading…').waitFor();
  await reachedStep(page, 1, 7);
  await card('questions').getByRole('button', { name: 'Cancel' }).click();
  await card('questions').getByText('train.jsonl: reading it was canceled').waitFor();

  await page.getByRole('button', { name: 'Train' }).click();
  await page.getByRole('button', { name: 'Checkpoint now' }).click();
  await page.getByText(/Checkpoint after step/).waitFor();
  await hang('host');
  await page.getByRole('button', { name: 'Stop' }).click();
  await page.getByText(/^The engine is not responding/).waitFor();
  await page.getByRole('button', { name: 'End it now' }).click();
  await page
    .getByText(/^The engine did not respond and was ended; resume from what it had saved/)
    .first()
    .waitFor();
  slow.stop();
  await page.getByRole('button', { name: 'Continue from the last checkpoint' }).click();
  await page.getByRole('heading', { name: 'V2 is ready' }).waitFor();
  await expect.poll(() => page.getByText(/^The engine is not responding/).count()).toBe(0);
});
