import { resolve } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { build, preview } from 'vite';
import { findBrowser } from '../../src/cli/software-vulkan.ts';
import { BROWSER_ARGS } from '../support/browser-args.ts';
import { builtOnce } from '../support/built-once.ts';

export const CASE = resolve('tests/fixtures/cases/recipe_text');

/** Serves and opens the built page, and beside it the same page over an engine that computes nothing. */
export async function servePage(outDir: string) {
  const input = { index: resolve('index.html'), fake: resolve('tests/e2e/fake.html') };
  // Vitest's own NODE_ENV would make a development build, without its service worker.
  process.env.NODE_ENV = 'production';
  await builtOnce('page-with-fake', outDir, (folder) =>
    build({ logLevel: 'error', build: { outDir: folder, rolldownOptions: { input } } }),
  );
  const server = await preview({
    logLevel: 'error',
    build: { outDir },
    preview: { port: 0, host: '127.0.0.1', open: false },
  });
  const browser: Browser = await chromium.launch({
    executablePath: findBrowser()!,
    args: BROWSER_ARGS,
  });
  const url = server.resolvedUrls!.local[0]!;
  return {
    url,
    browser,
    /** The page over the fake engine, in a fresh profile; `search` sets its scenario. */
    async open(search = '', options: BrowserContextOptions = {}): Promise<Page> {
      const page = await (await browser.newContext(options)).newPage();
      await page.goto(`${url}tests/e2e/fake.html?${search}`);
      await page.getByRole('heading', { level: 2 }).first().waitFor();
      return page;
    },
    async close(): Promise<void> {
      await browser.close();
      await server.close();
    },
  };
}

/** Chooses the fixture's files through the file inputs. */
export async function chooseFiles(page: Page): Promise<void> {
  await page.locator('[data-slot=base]').setInputFiles(`${CASE}/base`);
  await page.locator('[data-slot=source]').setInputFiles(`${CASE}/v1`);
  await page.locator('[data-slot=train]').setInputFiles(`${CASE}/train.jsonl`);
}
