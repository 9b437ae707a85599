import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { button, DisturbedRun, finished, slowDevice, stepDone } from '../support/disturbed-run.ts';
import { casePath } from '../support/model-case.ts';
import { chooseCase, hostedHeaders, savedFiles, StaticHost } from '../support/real-page.ts';

const CASE = 'batch2';
const STEPS = 7;

// The run to compare with is on the same device as the page's, which computes almost nothing.
vi.mock('webgpu', () => import('../support/null-webgpu.mjs'));

// Most of their time is waiting, so they run side by side.
let scene: DisturbedRun;
beforeAll(async () => {
  process.env.VK_DRIVER_FILES = '/dev/null';
  scene = await DisturbedRun.open(CASE, 'dist/page-reload-test', { device: 'null' });
});
afterAll(() => scene?.close());

it.concurrent(
  'without handles a reload resumes with what the browser stored, and asks for what is missing',
  async () => {
    const { context, page } = await scene.page({ handles: false });
    const slow = slowDevice(page);
    await page.goto(scene.host.url);
    await chooseCase(page, CASE);
    await button(page, 'Start training').click();
    await stepDone(page, 1, STEPS);
    await page.reload();
    await stepDone(page, 4, STEPS);
    slow.stop();
    // The quantized base is in the browser's own file system.
    await page.goto(`${scene.host.url}icon-192.png`);
    await clearFiles(page);
    await page.goto(scene.host.url);
    await page
      .getByText(/is unfinished, at step \d of 7\. To resume it, choose the same one again below: base\.$/)
      .waitFor();
    const resume = button(page, 'Continue the run');
    const base = page.locator('choice-card').filter({ has: page.locator('[data-slot=base]') });
    await page.locator('[data-slot=base]').setInputFiles(otherBase());
    await base.getByText('Parameters').waitFor();
    await resume.click();
    await page
      .getByText(/the unfinished run there was started with other inputs: changed the base model \(SHA-256 /)
      .first()
      .waitFor();
    await button(page, 'Back to the settings').click();
    await page.locator('[data-slot=base]').setInputFiles(casePath(CASE, 'base'));
    await base.getByText('Reading…').waitFor({ state: 'detached' });
    await resume.click();
    await finished(page);
    await stubOutput(page);
    scene.expectWhole(await savedFiles(page));
    await context.close();
  },
);

it.concurrent(
  'V3 of the demo: a reload before its start and one during it cost nothing, its base gone from the cache',
  async () => {
    const { context, page } = await scene.page({ handles: true });
    await page.goto(scene.host.url);
    const setting = (name: string) => page.locator(`input[name=${name}]`);
    const order = () => page.getByText('Ready to start').waitFor();
    await button(page, 'Use the demo’s files').click();
    await order();
    await setting('max_steps').fill('2');
    await setting('gradient_accumulation_steps').fill('2');
    await order();
    await button(page, 'Start training').click();
    await finished(page);
    await page.reload();
    await button(page, 'Runs').click();
    await page.locator('family-tree').getByRole('button').filter({ hasText: 'V2' }).click();
    await button(page, 'Continue from this').click();
    await page.locator('[data-slot=train]').setInputFiles('public/demo/train.jsonl');
    await order();
    const slow = slowDevice(page);
    await page.reload();
    await order();
    expect(await page.getByRole('heading', { name: 'Adapter V2' }).count()).toBe(1);
    expect(await setting('gradient_accumulation_steps').inputValue()).toBe('2');
    await button(page, 'Start training').click();
    await page.getByText('V2 + train.jsonl').first().waitFor();
    await page.getByText('Step 1 of 2').waitFor();
    slow.stop();
    await page.goto(`${scene.host.url}icon-192.png`);
    await clearFiles(page);
    await page.goto(scene.host.url);
    await page.getByRole('heading', { name: 'V3 is ready' }).waitFor();
    // The base is hashed as it is loaded.
    expect(await page.getByRole('log').innerText()).not.toContain('Hashing files');
    await context.close();
  },
);

it.concurrent(
  'trains without network; a second tab says so, is offered no update meanwhile, and takes the run over',
  async () => {
    // Its own host, so that no other test's page is offered the newer version.
    const folder = mkdtempSync(join(tmpdir(), 'retune-newer-'));
    cpSync(scene.host.folder, folder, { recursive: true });
    const host = await StaticHost.of(folder, hostedHeaders(folder));
    const context = await scene.browser.newContext();
    const first = await context.newPage();
    first.setDefaultTimeout(120_000);
    slowDevice(first);
    await first.goto(host.url);
    await first.getByText('Ready to work offline.').waitFor();
    const scope = await first.evaluate(async () => (await navigator.serviceWorker.ready).scope);
    expect(scope).toBe(host.url);
    await context.setOffline(true);
    await first.reload();
    await button(first, 'Run the demo').click();
    await first
      .getByText(/^Step [1-9]\d* of 64/)
      .first()
      .waitFor();
    await context.setOffline(false);

    appendFileSync(join(host.folder, 'sw.js'), '\n// A newer version.\n');
    const second = await context.newPage();
    second.setDefaultTimeout(120_000);
    slowDevice(second);
    await second.goto(host.url);
    const elsewhere = second.getByText(/^Another tab of this browser is training demo\/v1 \+ train\.jsonl\./);
    await elsewhere.waitFor();
    await second.waitForFunction(async () => !!(await navigator.serviceWorker.getRegistration())?.waiting);
    expect(await second.getByText('A new version of Retune is available.').count()).toBe(0);
    expect(await first.getByText('A new version of Retune is available.').count()).toBe(0);
    await button(first, 'Stop').click();
    await first.getByRole('heading', { name: 'Stopped', exact: true }).waitFor();
    // The page before it shows the same as the one after.
    const reloaded = second.waitForEvent('load');
    await button(second, 'Reload to update').click();
    await reloaded;
    await second.waitForFunction(async () => !(await navigator.serviceWorker.getRegistration())?.waiting);
    await second.getByText(/^The run demo\/v1 \+ train\.jsonl is unfinished/).waitFor();
    await button(second, 'Use the demo’s files').click();
    await second.getByText('Ready to start').waitFor();
    await button(second, 'Continue the run').click();
    await second
      .getByText(/^Step [1-9]\d* of 64/)
      .first()
      .waitFor();
    await button(second, 'Stop').click();
    await second.getByRole('heading', { name: 'Stopped', exact: true }).waitFor();
    await context.close();
    await host.close();
    rmSync(folder, { recursive: true });
  },
);

/** Empties the origin-private file system, where quantized bases are. */
async function clearFiles(page: Page): Promise<void> {
  await page.evaluate(async () => {
    const root = await navigator.storage.getDirectory();
    for await (const name of root.keys()) {
      await root.removeEntry(name, { recursive: true });
    }
  });
}

/** The case's base with one bit of its weights changed. */
function otherBase(): string {
  const base = join(mkdtempSync(join(tmpdir(), 'retune-other-')), 'base');
  cpSync(casePath(CASE, 'base'), base, { recursive: true });
  const weights = join(base, 'model.safetensors');
  const bytes = readFileSync(weights);
  bytes[bytes.length - 2]! ^= 1;
  writeFileSync(weights, bytes);
  return base;
}

/** A folder to write to, for a page whose pickers are the browser's own. */
async function stubOutput(page: Page): Promise<void> {
  await page.evaluate(() => {
    const output = async () =>
      (await navigator.storage.getDirectory()).getDirectoryHandle('output', { create: true });
    Object.assign(globalThis, { showDirectoryPicker: output });
  });
}
