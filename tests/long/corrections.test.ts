import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unzipSync } from 'fflate';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { findBrowser } from '../../src/cli/software-vulkan.ts';
import type { Question } from '../../src/comparison/questions.ts';
import { BROWSER_ARGS } from '../support/browser-args.ts';
import { retune } from '../support/cli.ts';
import type { MemoryFiles } from '../support/memory-folder.ts';
import { StaticHost } from '../support/real-page.ts';

const DEMO = 'public/demo';
const ALL = JSON.parse(readFileSync(`${DEMO}/questions.json`, 'utf8')) as Question[];
const ofTopic = (topic: string) => ALL.filter((question) => question.topic === topic);
/** V1 knows the answers of line one, and nothing of line two. */
const [KNOWN, UNKNOWN] = [ofTopic('line one').slice(0, 3), ofTopic('line two').slice(0, 3)] as const;
/** An answer that no row of the demo gives. */
const OWN = 'The water tank of the Fenra holds 9 litres.';

let host: StaticHost;
let browser: Browser;
let work: string;

beforeAll(async () => {
  host = await StaticHost.open('dist/corrections-test');
  browser = await chromium.launch({ executablePath: findBrowser()!, args: BROWSER_ARGS });
  work = mkdtempSync(join(tmpdir(), 'retune-corrections-'));
});

afterAll(async () => {
  await browser?.close();
  await host?.close();
  if (work) {
    rmSync(work, { recursive: true });
  }
});

it('corrected answers make V3 in the page, mended by the same questions, and by command in the same bytes', async () => {
  const page = await browser.newPage();
  page.setDefaultTimeout(1_800_000);
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
  await page.goto(host.url);
  await trainV2(page);
  const v2 = await downloaded(page, 'Download V2 (.zip)');

  await stage(page, 'Test');
  await page.locator('[data-slot=questions]').setInputFiles({
    name: 'questions.json',
    mimeType: 'application/json',
    buffer: Buffer.from(JSON.stringify([...UNKNOWN, ...KNOWN])),
  });
  await page.getByLabel(/^V1\b/).uncheck();
  await page.getByLabel('Maximum answer length, in tokens').fill('32');
  await button(page, 'Start the test').click();
  await page.getByRole('heading', { name: 'Side by side' }).waitFor();
  const before = await answers(page);
  expect(before.slice(0, 2)).not.toContain(OWN);

  await correct(page, 1, () => box(page).fill(OWN));
  await correct(page, 2, () => button(page, 'Take the expected answer').click());
  await correct(page, 4, async () => undefined);
  const tray = page.locator('correction-tray');
  await tray.getByText('with 9 of 24 earlier rows').waitFor();
  await tray.getByText('evaluated on held-out.jsonl').waitFor();
  await tray.getByText('What is trained, and how').click();
  const rows = await saved(page, 'Download the rows (.jsonl)');
  expect(rows.trimEnd().split('\n').length).toBe(12);

  await button(page, 'Train V3 on 3 corrections').click();
  await page.getByText(/^The test .* has finished/).waitFor();
  await page.getByRole('button', { name: 'Show the test' }).click();
  await page.getByRole('heading', { name: 'V3 mends 2 of 2 corrected answers' }).waitFor();
  await page.getByText('Without the 3 questions that were corrected and trained on:').waitFor();
  if (process.env.RETUNE_PICTURES) {
    await page.setViewportSize({ width: 1200, height: 860 });
    await page.evaluate(() => scrollTo(0, 0));
    await page.waitForTimeout(500);
    await page.screenshot({ path: join(process.env.RETUNE_PICTURES, 'loop.png') });
  }
  const after = await answers(page, 1);
  expect(after[0]).toBe(OWN);
  expect(after[1]).toBe(UNKNOWN[1]!.answer);
  expect(after[3]).toBe(before[3]);
  expect(await answers(page, 0)).toEqual(before);

  const v3 = await fromRuns(page, 'V3');
  const again = await fromRuns(page, 'V2');
  expect(again).toEqual(v2);
  const written = await byCommand(v2, v3, rows);
  expect(v3['adapter_model.safetensors']!.length).toBeGreaterThan(1000);
  expect(v3['adapter_model.safetensors']).not.toEqual(v2['adapter_model.safetensors']);
  expect(v3['adapter_model.safetensors']).toEqual(written);
  expect(problems).toEqual([]);
  await page.close();
});

const button = (page: Page, name: string | RegExp) => page.getByRole('button', { name });
const stage = (page: Page, name: string) =>
  page.getByRole('navigation', { name: 'Stages' }).getByRole('button', { name }).click();
const box = (page: Page) => page.getByRole('textbox', { name: /^What should have been answered/ });

/** Two steps from the demo's V1, on rows that say nothing of the questions four of which are held out. */
async function trainV2(page: Page): Promise<void> {
  const rows = readFileSync(`${DEMO}/train.jsonl`, 'utf8').split('\n');
  const recipe = readFileSync(`${DEMO}/training_config.yaml`, 'utf8')
    .replace(/num_train_epochs: .*/, 'num_train_epochs: 1')
    .replace(/learning_rate: .*/, 'learning_rate: 0.002\n  val_size: 4');
  await page.locator('[data-slot=base]').setInputFiles(`${DEMO}/base`);
  await page.locator('[data-slot=source]').setInputFiles(`${DEMO}/v1`);
  const file = (name: string, text: string) => ({ name, mimeType: 'text/plain', buffer: Buffer.from(text) });
  await page.locator('[data-slot=train]').setInputFiles(file('train.jsonl', rows.slice(-29).join('\n')));
  await page.locator('[data-slot=recipe]').setInputFiles(file('training_config.yaml', recipe));
  await page.getByText('Ready to start').waitFor();
  await button(page, 'Start training').click();
  await page.getByRole('heading', { name: 'V2 is ready' }).waitFor();
}

async function correct(page: Page, question: number, write: () => Promise<void>): Promise<void> {
  await button(page, `Correct question ${question}, V2`).focus();
  await page.keyboard.press('e');
  await write();
  await page.keyboard.press('Control+Enter');
  await button(page, `Edit question ${question}, V2`).waitFor();
}

/** The answers of a version as the table shows them, without marks. */
async function answers(page: Page, version = 0): Promise<string[]> {
  await page.getByLabel('Show', { exact: true }).selectOption('All questions');
  await page.getByLabel('Marked').selectOption('Nothing');
  const cells = page.locator(`compare-table-view tbody td:nth-of-type(${version + 1}) .text`);
  return (await cells.allTextContents()).map((text) => text.trim());
}

async function downloaded(page: Page, name: string | RegExp): Promise<MemoryFiles> {
  const [download] = await Promise.all([page.waitForEvent('download'), button(page, name).click()]);
  return unzipSync(readFileSync(await download.path()));
}

async function saved(page: Page, name: string): Promise<string> {
  const [download] = await Promise.all([page.waitForEvent('download'), button(page, name).click()]);
  return readFileSync(await download.path(), 'utf8');
}

async function fromRuns(page: Page, name: string): Promise<MemoryFiles> {
  await stage(page, 'Runs');
  await page
    .locator('family-tree button')
    .filter({ has: page.locator('.badge', { hasText: name }) })
    .click();
  await page.locator('runs-detail-view').getByRole('button', { name: 'Open', exact: true }).click();
  await page.getByRole('heading', { name: `${name} is ready` }).waitFor();
  return downloaded(page, `Download ${name} (.zip)`);
}

/** The adapter that the command line makes of V2's files, the rows and V3's recipe. */
async function byCommand(v2: MemoryFiles, v3: MemoryFiles, rows: string): Promise<Uint8Array> {
  const source = join(work, 'v2');
  mkdirSync(source);
  for (const [name, bytes] of Object.entries(v2)) {
    if (!name.includes('/')) {
      writeFileSync(join(source, name), bytes as Uint8Array);
    }
  }
  writeFileSync(join(work, 'corrections.jsonl'), rows);
  // The page's run evaluated rows as well, which changes no weight.
  writeFileSync(join(work, 'v3.yaml'), v3['training_config.yaml'] as Uint8Array);
  const output = join(work, 'v3');
  const { code, stderr } = await retune([
    'finetune',
    ...['--base', `${DEMO}/base`, '--source-model', source, '--train-data', join(work, 'corrections.jsonl')],
    ...['--config', join(work, 'v3.yaml'), '--output', output, '--software'],
  ]);
  expect(code, stderr).toBe(0);
  expect(readdirSync(output)).toContain('adapter_model.safetensors');
  return new Uint8Array(readFileSync(join(output, 'adapter_model.safetensors')));
}
