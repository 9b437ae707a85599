import { mkdirSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { build, preview } from 'vite';
import { findBrowser } from '../../src/cli/software-vulkan.ts';
import { BROWSER_ARGS } from '../support/worker-page.ts';

// The README's pictures of the page: the bundled demo, really run, on Chrome's software GPU: `npm run screenshots`.
// It takes as long as the demo does there.
const OUT = 'public/screenshots';
const HALF_WAY = /Step (3[2-9]|[4-6]\d) of 64/;

mkdirSync(OUT, { recursive: true });
process.env.NODE_ENV = 'production';
const outDir = 'dist/screenshots';
await build({ logLevel: 'error', build: { outDir } });
const server = await preview({
  logLevel: 'error',
  build: { outDir },
  preview: { port: 0, host: '127.0.0.1', open: false },
});
const browser = await chromium.launch({ executablePath: findBrowser()!, args: BROWSER_ARGS });
try {
  const page = await browser.newPage({ viewport: { width: 1200, height: 760 } });
  page.setDefaultTimeout(3_600_000);
  const picture = async (name: string) => {
    // Lit and uPlot draw once more after the last change.
    await page.waitForTimeout(300);
    await page.screenshot({ path: `${OUT}/${name}.png` });
  };
  await page.goto(server.resolvedUrls!.local[0]!);
  await page.getByRole('button', { name: /Take the demo/ }).click();
  await page.getByText('Everything is in order').waitFor();
  await picture('choose');
  await page.getByRole('button', { name: 'Start training' }).click();
  await page.getByText(HALF_WAY).first().waitFor();
  await picture('train');
  await page.getByRole('heading', { name: 'V2 is ready' }).waitFor();
  await page.getByLabel('Question').fill('How much water does the Fenra hold?');
  await page.getByRole('button', { name: 'Ask' }).click();
  await page.getByRole('button', { name: 'Ask' }).waitFor();
  await page.waitForTimeout(30_000);
  await picture('result');
} finally {
  await browser.close();
  await server.close();
}
