import type { Page } from 'playwright-core';
import { afterAll, beforeAll, it } from 'vitest';
import { button, DisturbedRun, engineOf, finished, slowDevice, stepDone } from '../support/disturbed-run.ts';
import { pickCase, savedFiles } from '../support/real-page.ts';

const CASE = 'batch2';
const STEPS = 7;

const noted = (page: Page, text: RegExp) => page.getByRole('log').getByText(text).first().waitFor();

let scene: DisturbedRun;
beforeAll(async () => void (scene = await DisturbedRun.open(CASE, 'dist/page-resume-test')));
afterAll(() => scene?.close());

it('a run survives a destroyed device and a crashed GPU process, automatically and to the same bytes', async () => {
  const { page } = await scene.page({ handles: true });
  slowDevice(page);
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
  const session = await scene.browser.newBrowserCDPSession();
  await session.send('Browser.crashGpuProcess').catch(() => undefined);
  await session.detach();
  await page
    .getByText(/was lost/)
    .nth(1)
    .waitFor();
  await finished(page);
  scene.expectWhole(await savedFiles(page));
});
