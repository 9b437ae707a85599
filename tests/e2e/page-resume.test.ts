import { appendFileSync, cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { button, DisturbedRun, engineOf, finished, slowDevice, stepDone } from '../support/disturbed-run.ts';
import { hostedHeaders, pickCase, savedFiles, StaticHost } from '../support/real-page.ts';

const CASE = 'batch2';
const STEPS = 7;

const noted = (page: Page, text: RegExp) => page.getByRole('log').getByText(text).first().waitFor();

// Most of their time is waiting, so they run side by side; tests/long/page-reload.test.ts has more reloads.
let scene: DisturbedRun;
beforeAll(async () => void (scene = await DisturbedRun.open(CASE, 'dist/page-resume-test')));
afterAll(() => scene?.close());

it.concurrent(
  'a run survives a destroyed device, a crashed GPU process and a reload, automatically and to the same bytes',
  async () => {
    // Its own browser: the others' pages would lose their devices too.
    const browser = await scene.anotherBrowser();
    const { page } = await scene.page({ handles: true, browser });
    const slow = slowDevice(page);
    await page.goto(scene.host.url);
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
    await stepDone(page, 1, STEPS);
    await engineOf(page).evaluate(() => (globalThis as unknown as { breakDevice: () => void }).breakDevice());
    await noted(page, /was lost \(.+\); resuming from the last checkpoint\./);
    await stepDone(page, 4, STEPS);
    const session = await browser.newBrowserCDPSession();
    await session.send('Browser.crashGpuProcess').catch(() => undefined);
    await session.detach();
    await page
      .getByText(/was lost/)
      .nth(1)
      .waitFor();
    await stepDone(page, 4, STEPS);
    slow.stop();
    await page.reload();
    // Nothing is clicked: the handles were stored, and they may be read.
    await noted(page, /Opening files/);
    await finished(page);
    scene.expectWhole(await savedFiles(page));
    await browser.close();
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
    await second.getByText('Everything is in order').waitFor();
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
