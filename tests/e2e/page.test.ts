import { chromium } from 'playwright-core';
import { expect, it } from 'vitest';
import { build, preview } from 'vite';
import { findBrowser } from '../../src/cli/software-vulkan.ts';

it('the page starts the engine in a worker and names the device it found', async () => {
  const outDir = 'dist/page-test';
  await build({ logLevel: 'error', build: { outDir } });
  const server = await preview({
    logLevel: 'error',
    build: { outDir },
    preview: { port: 0, host: '127.0.0.1' },
  });
  const browser = await chromium.launch({
    executablePath: findBrowser()!,
    args: [
      '--no-sandbox',
      '--enable-unsafe-webgpu',
      '--use-webgpu-adapter=swiftshader',
      '--disable-background-networking',
    ],
  });
  try {
    const page = await browser.newPage();
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(error.message));
    await page.goto(server.resolvedUrls!.local[0]!);
    const status = page.getByRole('status');
    await expect
      .poll(() => status.textContent(), { timeout: 60_000 })
      .toMatch(/^The engine can use .*software device/s);
    expect(problems).toEqual([]);
  } finally {
    await browser.close();
    await server.close();
  }
});
