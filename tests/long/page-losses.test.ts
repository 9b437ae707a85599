import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { findBrowser } from '../../src/cli/software-vulkan.ts';
import { BROWSER_ARGS } from '../support/browser-args.ts';
import { retuneHere } from '../support/cli-here.ts';
import { slowDevice } from '../support/disturbed-run.ts';
import { casePath } from '../support/model-case.ts';
import { StaticHost, stubPickers } from '../support/real-page.ts';
import { outputFiles, useImported } from '../support/use-page.ts';

let host: StaticHost;
let browser: Browser;
let work: string;

beforeAll(async () => {
  host = await StaticHost.open('dist/page-losses-test');
  browser = await chromium.launch({ executablePath: findBrowser()!, args: BROWSER_ARGS });
  work = mkdtempSync(join(tmpdir(), 'retune-losses-'));
});

afterAll(async () => {
  await browser?.close();
  await host?.close();
  if (work) {
    rmSync(work, { recursive: true });
  }
});

const VALIDATION = casePath('batch2', 'val.jsonl');
const measure = (page: Page) => page.getByRole('button', { name: 'Measure both losses' });

/** What the command line tells, and the card that it writes. */
async function told(to: string, onto: string, type: string | undefined) {
  const output = join(work, `${to}-${onto}-${type}`);
  const { code, stdout, stderr } = await retuneHere([
    ...['export', '--base', casePath('batch2', 'base'), '--model', join(work, 'v2'), '--to', to],
    ...['--onto', onto, ...(type ? ['--type', type] : []), '--val-data', VALIDATION],
    ...['--software', '--yes', '--output', output],
  ]);
  expect(code, stderr).toBe(0);
  const losses = /eval_loss over 2 rows: ([\d.]+) as trained, ([\d.]+) as written/.exec(stdout)!;
  return { losses: losses.slice(1), output };
}

it('the page measures the losses that the command line tells, and writes them into the card', async () => {
  const context = await browser.newContext();
  await stubPickers(context);
  const page = await context.newPage();
  page.setDefaultTimeout(100_000);
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(error.message));
  // So that there is time to cancel while weights are loaded.
  slowDevice(page);
  await useImported(page, host.url, work);
  await page.getByText('The base’s folder is needed.').waitFor();
  await page.locator('[data-slot=base]').setInputFiles(casePath('batch2', 'base'));
  await page.getByText('Choose rows to evaluate on.').waitFor();

  await page.locator('[data-slot=losses]').setInputFiles(casePath('batch2', 'training_config.yaml'));
  await measure(page).click();
  await page.getByText(/^training_config\.yaml, line 1: not valid JSON/).waitFor();

  await page.locator('[data-slot=losses]').setInputFiles(VALIDATION);
  await page.getByLabel('their NF4 values').check();
  await page.getByText(/^v2-merged: [\d.]+ [KM]iB will be written\.$/).waitFor();
  await measure(page).click();
  await page.getByText('Loading weights onto the GPU', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Cancel the measurement' }).click();
  await page.getByText('The measurement was canceled.').waitFor();

  const cells = async (name: RegExp) => page.getByRole('row', { name }).getByRole('cell').allInnerTexts();
  await measure(page).click();
  await page.getByText(/^eval_loss over 2 rows: [\d.]+ as trained, [\d.]+ as written\.$/).waitFor();
  const merged = await told('merged', 'nf4', undefined);
  expect((await cells(/^Merged model .*, as the base, onto their NF4 values/)).slice(0, 2)).toEqual(
    merged.losses,
  );

  await page.getByRole('button', { name: 'Save into a folder' }).click();
  await page.getByText('V2 is in the folder output, as v2-merged.').waitFor();
  const written = await outputFiles(page);
  const card = Buffer.from(written['v2-merged/README.md']!).toString();
  expect(card).toContain(`${merged.losses[0]} as trained, ${merged.losses[1]} as written`);
  expect(card).toBe(readFileSync(join(merged.output, 'README.md'), 'utf8'));

  await page.getByLabel('GGUF', { exact: true }).check();
  await page.getByLabel('Type of the weights').selectOption('q4_k_m');
  await page.getByLabel('the base’s own weights').check();
  await page.getByText(/^v2-Q4_K_M\.gguf: /).waitFor();
  await measure(page).click();
  const row = /^GGUF, q4_k_m, onto the base’s own weights/;
  await page.getByRole('row', { name: row }).waitFor();
  expect((await cells(row)).slice(0, 2)).toEqual((await told('gguf', 'base', 'q4_k_m')).losses);
  expect(problems).toEqual([]);
  await context.close();
});
