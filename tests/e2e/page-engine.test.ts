import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unzipSync } from 'fflate';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { build, preview, type PreviewServer } from 'vite';
import { findBrowser } from '../../src/cli/software-vulkan.ts';
import type { LogEntry } from '../../src/formats/trainer-state.ts';
import { retune } from '../support/cli.ts';
import { casePath } from '../support/model-case.ts';
import { BROWSER_ARGS, fingerprint } from '../support/worker-page.ts';

const CASE = 'batch2';
const RESULT = [
  'adapter_model.safetensors',
  'adapter_config.json',
  'trainer_state.json',
  'retune_state.json',
];

let server: PreviewServer;
let browser: Browser;
let work: string;

beforeAll(async () => {
  process.env.NODE_ENV = 'production';
  const outDir = 'dist/page-engine-test';
  await build({ logLevel: 'error', build: { outDir } });
  const port = { port: 0, host: '127.0.0.1', open: false };
  server = await preview({ logLevel: 'error', build: { outDir }, preview: port });
  browser = await chromium.launch({ executablePath: findBrowser()!, args: BROWSER_ARGS });
  work = mkdtempSync(join(tmpdir(), 'retune-page-'));
});

afterAll(async () => {
  await browser?.close();
  await server?.close();
  if (work) rmSync(work, { recursive: true });
});

async function choose(page: Page): Promise<void> {
  await page.goto(server.resolvedUrls!.local[0]!);
  await page.locator('[data-slot=base]').setInputFiles(casePath(CASE, 'base'));
  await page.locator('[data-slot=source]').setInputFiles(casePath(CASE, 'v1'));
  await page.locator('[data-slot=train]').setInputFiles(casePath(CASE, 'train.jsonl'));
  await page.locator('[data-slot=validation]').setInputFiles(casePath(CASE, 'val.jsonl'));
  await page.locator('[data-slot=recipe]').setInputFiles(casePath(CASE, 'training_config.yaml'));
  await page.getByText('Everything is in order').waitFor();
}

describe('the page over the real engine', () => {
  it('runs the bundled demo from one click', async () => {
    const page = await browser.newPage();
    page.setDefaultTimeout(120_000);
    await page.goto(server.resolvedUrls!.local[0]!);
    await page.getByRole('button', { name: 'Run the demo' }).click();
    await page
      .getByText(/Step [1-9]\d* of 64/)
      .first()
      .waitFor();
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByText('Stopped', { exact: false }).first().waitFor();
    await page.close();
  });

  it("trains the reference run and exports the command line's bytes", async () => {
    const page = await browser.newPage();
    page.setDefaultTimeout(200_000);
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(error.message));
    await choose(page);
    await page.getByRole('button', { name: 'Start training' }).click();
    await page.getByRole('heading', { name: 'V2 is ready' }).waitFor();

    const { log_history } = JSON.parse(readFileSync(casePath(CASE, 'expected/expected.json'), 'utf8')) as {
      log_history: LogEntry[];
    };
    const last = log_history.findLast((entry) => entry.eval_loss !== undefined)!.eval_loss!;
    await page.getByText(last.toFixed(4)).first().waitFor();

    const download = page.waitForEvent('download');
    await page.getByRole('button', { name: /Download V2/ }).click();
    const zip = join(work, 'v2.zip');
    await (await download).saveAs(zip);
    const exported = Object.fromEntries(
      Object.entries(unzipSync(readFileSync(zip))).map(([path, bytes]) => [path.split('/').at(-1)!, bytes]),
    );

    const output = join(work, 'v2');
    const { code, stderr } = await retune([
      'finetune',
      ...['--base', casePath(CASE, 'base'), '--source-model', casePath(CASE, 'v1')],
      ...['--train-data', casePath(CASE, 'train.jsonl'), '--val-data', casePath(CASE, 'val.jsonl')],
      ...['--config', casePath(CASE, 'training_config.yaml'), '--output', output],
    ]);
    expect(code, stderr).toBe(0);
    const written = Object.fromEntries(
      RESULT.map((name) => [name, new Uint8Array(readFileSync(join(output, name)))]),
    );
    expect(fingerprint(exported)).toEqual(fingerprint(written));
    expect(problems).toEqual([]);
  });
});
