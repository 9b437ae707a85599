import { appendFileSync, cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { RetuneApp } from '../../src/app/retune-app.ts';
import { findBrowser } from '../../src/cli/software-vulkan.ts';
import { casePath } from '../support/model-case.ts';
import type { MemoryFiles } from '../support/memory-folder.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { Random } from '../support/random.ts';
import { chooseCase, pickCase, savedFiles, StaticHost, stubPickers } from '../support/real-page.ts';
import { caseInputs, run } from '../support/run-case.ts';
import { killWhileTraining } from '../support/training-kills.ts';
import { BROWSER_ARGS, fingerprint, inside } from '../support/worker-page.ts';

const CASE = 'batch2';
const STEPS = 7;

let host: StaticHost;
let browser: Browser;
/** What an uninterrupted run leaves; the same as in the browser, as page-engine.test.ts shows. */
let whole: MemoryStore;

beforeAll(async () => {
  host = await StaticHost.open('dist/page-resume-test');
  browser = await chromium.launch({ executablePath: findBrowser()!, args: BROWSER_ARGS });
  whole = new MemoryStore();
  await run({ inputs: await caseInputs(CASE), store: whole });
});

afterAll(async () => {
  await browser?.close();
  await host?.close();
});

const expectWhole = (files: MemoryFiles): void => {
  expect(fingerprint(files)).toEqual(fingerprint(whole.result));
  for (const step of [6, 7])
    expect(fingerprint(inside(files, `checkpoint-${step}`))).toEqual(fingerprint(whole.saved.get(step)!));
};
const button = (page: Page, name: string) => page.getByRole('button', { name });
const finished = (page: Page) => page.getByRole('heading', { name: 'V2 is ready' }).waitFor();
const noted = (page: Page, text: RegExp) => page.getByRole('log').getByText(text).first().waitFor();
/** That step, or a later one: a page that draws less often than the run steps may never show some. */
const stepDone = (page: Page, step: number) =>
  page.getByText(new RegExp(`Step [${step}-${STEPS}] of ${STEPS}`)).waitFor();
/** Each readback of the page's device takes a while, so that there is time to disturb the run between two steps. */
const slowDevice = (page: Page) =>
  page.on('worker', (worker) => {
    const slowing = worker.evaluate(() => {
      const { mapAsync } = GPUBuffer.prototype;
      GPUBuffer.prototype.mapAsync = async function (this: GPUBuffer, ...call) {
        await new Promise((resolve) => setTimeout(resolve, 600));
        return mapAsync.apply(this, call);
      };
    });
    // A worker that a reload ends first needs none.
    slowing.catch(() => undefined);
  });

/** The worker that trains; files are read in another. */
const engineOf = (page: Page) => page.workers().find((worker) => worker.url().includes('/host-'))!;

it('a run outlives a destroyed device, a crashed GPU process and a reload, by itself and to the same bytes', async () => {
  const context = await browser.newContext();
  await stubPickers(context);
  const page = await context.newPage();
  page.setDefaultTimeout(200_000);
  page.on('dialog', (dialog) => void dialog.accept());
  slowDevice(page);
  await page.goto(host.url);
  await page.getByText(/Chrome offers only a software device/).waitFor();
  await engineOf(page).evaluate(() => {
    const { requestDevice } = GPUAdapter.prototype;
    GPUAdapter.prototype.requestDevice = async function (this: GPUAdapter, ...call) {
      const device = await requestDevice.apply(this, call);
      Object.assign(globalThis, { breakDevice: () => device.destroy() });
      return device;
    };
  });
  await pickCase(page, CASE);
  await button(page, 'Start training').click();
  await stepDone(page, 1);
  await page
    .workers()
    .find((worker) => worker.url().includes('/host-'))!
    .evaluate(() => (globalThis as unknown as { breakDevice: () => void }).breakDevice());
  await noted(page, /was lost \(.+\); going on from the last checkpoint\./);
  await stepDone(page, 4);
  const session = await browser.newBrowserCDPSession();
  await session.send('Browser.crashGpuProcess').catch(() => undefined);
  await session.detach();
  await page
    .getByText(/was lost/)
    .nth(1)
    .waitFor();
  await stepDone(page, 4);
  await page.reload();
  // Nothing is clicked: the handles were kept, and they may be read.
  await noted(page, /Opening the files/);
  await finished(page);
  expectWhole(await savedFiles(page));
  await context.close();
});

it('after ten minutes without one a checkpoint for rescue is kept, which the next replaces and a reload goes on from', async () => {
  const context = await browser.newContext();
  await stubPickers(context);
  const page = await context.newPage();
  page.setDefaultTimeout(200_000);
  page.on('dialog', (dialog) => void dialog.accept());
  slowDevice(page);
  await page.goto(host.url);
  await pickCase(page, CASE);
  const clock = await engineOf(page).evaluateHandle(() => {
    const now = performance.now.bind(performance);
    const ahead = { ms: 0 };
    performance.now = () => now() + ahead.ms;
    return ahead;
  });
  /** Waits ten minutes in a pause, and for the checkpoint that then comes. */
  const rescued = async (checkpoints: number): Promise<number[]> => {
    await button(page, 'Pause').click();
    await clock.evaluate((ahead) => void (ahead.ms += 600_000));
    await button(page, 'Go on').click();
    const lines = page.getByRole('log').getByText(/Checkpoint after step \d kept/);
    await lines.nth(checkpoints - 1).waitFor();
    return (await lines.allInnerTexts()).map((line) => Number(/step (\d)/.exec(line)![1]));
  };
  await button(page, 'Start training').click();
  await stepDone(page, 1);
  const [first] = await rescued(1);
  expect(first).toBeLessThan(3);
  expect((await keptOf(page)).kept).toEqual([first]);
  await stepDone(page, 4);
  // The recipe keeps two, and the first would be one of them.
  expect((await keptOf(page)).kept).toEqual([3]);
  const steps = await rescued(3);
  const latest = steps[2]!;
  expect(steps).toEqual([first, 3, latest]);
  expect([4, 5]).toContain(latest);
  expect((await keptOf(page)).kept).toEqual([3, latest]);
  await page.reload();
  await stepDone(page, latest + 1);
  expect((await keptOf(page)).resumed).toBe(latest);
  await finished(page);
  expect((await keptOf(page)).kept).toEqual([6, 7]);
  expectWhole(await savedFiles(page));
  await context.close();
});

it('without handles a reload goes on with what the browser kept, and asks for what is gone of it', async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  page.setDefaultTimeout(200_000);
  page.on('dialog', (dialog) => void dialog.accept());
  slowDevice(page);
  await page.goto(host.url);
  await chooseCase(page, CASE);
  await button(page, 'Start training').click();
  await stepDone(page, 1);
  await page.reload();
  await stepDone(page, 4);
  // The quantised base is in the browser's own file system.
  await page.goto(`${host.url}icon-192.png`);
  await clearFiles(page);
  await page.goto(host.url);
  await page
    .getByText(/is unfinished, at step \d of 7\. Choose the same one again below to go on with it: base\.$/)
    .waitFor();
  const goOn = button(page, 'Continue the run');
  const base = page.locator('choice-card').filter({ has: page.locator('[data-slot=base]') });
  await page.locator('[data-slot=base]').setInputFiles(otherBase());
  await base.getByText('Parameters').waitFor();
  await goOn.click();
  await page
    .getByText(/these are not the files that the run was started with \(changed: the base model/)
    .first()
    .waitFor();
  await button(page, 'Back to the settings').click();
  await page.locator('[data-slot=base]').setInputFiles(casePath(CASE, 'base'));
  await base.getByText('Reading…').waitFor({ state: 'detached' });
  await goOn.click();
  await finished(page);
  await stubOutput(page);
  expectWhole(await savedFiles(page));
  await context.close();
});

it('V3 of the demo: a reload before its start and one during it cost nothing, its base gone from the cache', async () => {
  const context = await browser.newContext();
  await stubPickers(context);
  const page = await context.newPage();
  page.setDefaultTimeout(200_000);
  page.on('dialog', (dialog) => void dialog.accept());
  await page.goto(host.url);
  const epochs = page.locator('input[name=num_train_epochs]');
  const order = () => page.getByText('Everything is in order').waitFor();
  await button(page, 'Take the demo’s files').click();
  await order();
  await epochs.fill('0.25');
  await order();
  await button(page, 'Start training').click();
  await finished(page);
  await page.reload();
  await button(page, 'Runs').click();
  await page.locator('family-tree').getByRole('button').filter({ hasText: 'V2' }).click();
  await button(page, 'Continue from this').click();
  await page.locator('[data-slot=train]').setInputFiles('public/demo/train.jsonl');
  await order();
  await page.reload();
  await order();
  expect(await page.getByRole('heading', { name: 'Adapter V2' }).count()).toBe(1);
  expect(await epochs.inputValue()).toBe('0.25');
  slowDevice(page);
  await button(page, 'Start training').click();
  await page.getByText('V2 + train.jsonl').first().waitFor();
  await page.getByText('Step 1 of 2').waitFor();
  await page.goto(`${host.url}icon-192.png`);
  await clearFiles(page);
  await page.goto(host.url);
  await page.getByRole('heading', { name: 'V3 is ready' }).waitFor();
  expect(await page.getByRole('log').innerText()).toContain('Hashing files');
  await context.close();
});

it('a browser killed three times while training loses nothing that was kept', async () => {
  expectWhole(await killWhileTraining(host.url, CASE, new Random(Date.now()), 3));
});

it('trains without network; a second tab says so, is offered no update meanwhile, and takes the run over', async () => {
  const context = await browser.newContext();
  const first = await context.newPage();
  first.setDefaultTimeout(120_000);
  await first.goto(host.url);
  await first.getByText('Works without network from now on.').waitFor();
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
  await second.goto(host.url);
  const elsewhere = second.getByText(/^Another tab of this browser is training demo\/v1 \+ train\.jsonl\./);
  await elsewhere.waitFor();
  await second.waitForFunction(async () => !!(await navigator.serviceWorker.getRegistration())?.waiting);
  expect(await second.getByText('A newer version of Retune is here.').count()).toBe(0);
  expect(await first.getByText('A newer version of Retune is here.').count()).toBe(0);
  await button(first, 'Stop').click();
  await first.getByRole('heading', { name: 'Stopped', exact: true }).waitFor();
  await button(second, 'Reload with it').click();
  await second.waitForFunction(async () => !(await navigator.serviceWorker.getRegistration())?.waiting);
  await second.getByText(/^The run demo\/v1 \+ train\.jsonl is unfinished/).waitFor();
  await button(second, 'Take the demo’s files').click();
  await second.getByText('Everything is in order').waitFor();
  await button(second, 'Continue the run').click();
  await second
    .getByText(/^Step [1-9]\d* of 64/)
    .first()
    .waitFor();
  await button(second, 'Stop').click();
  await second.getByRole('heading', { name: 'Stopped', exact: true }).waitFor();
  await context.close();
});

/** Steps of the checkpoints that the browser has of the latest run, and the one that the page's run went on from. */
const keptOf = (page: Page) =>
  page.evaluate(async () => {
    const { session } = document.querySelector<RetuneApp>('retune-app')!;
    await session.lineage.refresh();
    const { run, runs } = session.store.state;
    return { kept: runs[0]!.checkpoints.map(({ step }) => step), resumed: run?.facts?.resumedStep };
  });

/** Empties the browser's own file system, where quantised bases are. */
async function clearFiles(page: Page): Promise<void> {
  await page.evaluate(async () => {
    const root = await navigator.storage.getDirectory();
    for await (const name of root.keys()) await root.removeEntry(name, { recursive: true });
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
