import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unzipSync } from 'fflate';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { findBrowser } from '../../src/cli/software-vulkan.ts';
import { BROWSER_ARGS } from '../support/browser-args.ts';
import { retuneHere } from '../support/cli-here.ts';
import { casePath } from '../support/model-case.ts';
import { accessible, fits } from '../support/page-checks.ts';
import { StaticHost, stubPickers } from '../support/real-page.ts';
import { outputFiles, useImported } from '../support/use-page.ts';

let host: StaticHost;
let browser: Browser;
let work: string;

beforeAll(async () => {
  host = await StaticHost.open('dist/page-use-test');
  browser = await chromium.launch({ executablePath: findBrowser()!, args: BROWSER_ARGS });
  work = mkdtempSync(join(tmpdir(), 'retune-use-'));
});

afterAll(async () => {
  await browser?.close();
  await host?.close();
  if (work) {
    rmSync(work, { recursive: true });
  }
});

it('V2 becomes what the command line makes of it, and a canceled export leaves nothing', async () => {
  const context = await browser.newContext();
  await stubPickers(context);
  const page = await context.newPage();
  page.setDefaultTimeout(120_000);
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(error.message));
  await useImported(page, host.url, work);
  await page.getByText('this browser has no way to them: choose the folder of base again').waitFor();
  expect(await page.getByRole('button', { name: 'Save into a folder' }).isDisabled()).toBe(true);
  await page.locator('[data-slot=base]').setInputFiles(casePath('qwen3', 'base'));
  await page.getByText(/^Not usable: .*the adapter belongs to another base/).waitFor();
  await page.locator('[data-slot=base]').setInputFiles(casePath('batch2', 'base'));
  await page.getByText(/^v2-merged: [\d.]+ [KM]iB will be written\.$/).waitFor();
  await accessible(page, 'use');
  await shots(page, 'use');

  await page.evaluate(async () => {
    const root = await navigator.storage.getDirectory();
    await (await root.getDirectoryHandle('output', { create: true })).getFileHandle('mine', { create: true });
    const view = document.querySelector('retune-app')!.shadowRoot!.querySelector('use-view')!.shadowRoot!;
    const button = (name: string) =>
      [...view.querySelectorAll('button')].find(({ textContent }) => textContent.trim() === name);
    button('Save into a folder')!.click();
    // As soon as the view shows it: the export of a tiny model may end within a frame.
    await new Promise<void>((resolve) => {
      new MutationObserver(() => button('Cancel') && resolve()).observe(view, {
        childList: true,
        subtree: true,
        characterData: true,
      });
    });
    button('Cancel')!.click();
  });
  await page.getByText('V2: the export was canceled. Nothing of it was kept.').waitFor();
  expect(Object.keys(await outputFiles(page))).toEqual(['mine']);

  await page.getByRole('button', { name: 'Save into a folder' }).click();
  await page.getByText('V2 is in the folder output, as v2-merged.').waitFor();
  await page.getByLabel('GGUF', { exact: true }).check();
  await page.getByText(/LM Studio finds a model in/).waitFor();
  await page.getByRole('button', { name: 'Save into a folder' }).click();
  await page.getByText('V2 is in the folder output, as v2-Q8_0.gguf.').waitFor();
  await page.getByLabel('their NF4 values').check();
  await page.getByText(/^v2-Q8_0\.gguf: [\d.]+ [KM]iB will be written\.$/).waitFor();
  await page.getByRole('button', { name: 'Save into a folder' }).click();
  await page.getByText('V2 is in the folder output, as v2-Q8_0-2.gguf.').waitFor();
  const written = await outputFiles(page);
  const inFolder = Object.entries(written).flatMap(([path, content]) =>
    path.startsWith('v2-merged/') && !path.endsWith('/')
      ? [[path.slice('v2-merged/'.length), content] as const]
      : [],
  );
  expect(new Map(inFolder)).toEqual(await exported('merged'));
  expect(written['v2-Q8_0.gguf']).toEqual(await exportedFile('gguf'));
  expect(written['v2-Q8_0-2.gguf']).toEqual(await exportedFile('gguf', '--onto', 'nf4'));

  await page.getByLabel('the base’s own weights').check();
  await page.getByLabel('Ollama', { exact: true }).check();
  await page.getByLabel('Type of the weights').selectOption('f16');
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Download (.zip)' }).click();
  const zip = join(work, 'ollama.zip');
  await (await download).saveAs(zip);
  await page.getByText('ollama create v2 -f Modelfile').waitFor();
  await accessible(page, 'used');
  await shots(page, 'used');
  const zipped = Object.entries(unzipSync(readFileSync(zip)));
  expect(new Map(zipped.map(([path, content]) => [path.replace('v2-ollama/', ''), content]))).toEqual(
    await exported('ollama', '--type', 'f16'),
  );
  await page.getByRole('button', { name: 'Back to the runs' }).click();
  await page.locator('h2:focus', { hasText: 'Runs' }).waitFor();
  expect(problems).toEqual([]);
  await context.close();
});

let exports = 0;

async function exportedPath(to: string, more: readonly string[]): Promise<string> {
  const output = join(work, `out-${exports++}`);
  const { code, stderr } = await retuneHere([
    ...['export', '--base', casePath('batch2', 'base'), '--model', join(work, 'v2')],
    ...['--to', to, '--output', output, ...more],
  ]);
  expect(code, stderr).toBe(0);
  return output;
}

const exportedFile = async (to: string, ...more: string[]) =>
  new Uint8Array(readFileSync(await exportedPath(to, more)));

async function exported(to: string, ...more: string[]): Promise<Map<string, Uint8Array>> {
  const folder = await exportedPath(to, more);
  return new Map(readdirSync(folder).map((name) => [name, new Uint8Array(readFileSync(join(folder, name)))]));
}

/** Looks whether it fits, on wide and narrow screens, and takes pictures where that is asked for. */
async function shots(page: Page, name: string): Promise<void> {
  for (const [width, height] of [
    [1280, 900],
    [360, 780],
  ] as const) {
    await page.setViewportSize({ width, height });
    await fits(page, `${name} ${width}`);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      if (process.env.RETUNE_SHOTS) {
        const path = `${process.env.RETUNE_SHOTS}/${name}-${width}-${colorScheme}.png`;
        await page.screenshot({ path, fullPage: true });
      }
    }
  }
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize({ width: 1280, height: 900 });
}
