import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accessible } from '../support/page-checks.ts';
import { chooseFiles, servePage } from './page-server.ts';

let server: Awaited<ReturnType<typeof servePage>>;
beforeAll(async () => {
  server = await servePage('dist/next-steps-test');
});
afterAll(() => server?.close());

const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();
/** Waits until a stage's heading has the focus. */
const arrives = (page: Page, name: string) => page.locator('h2:focus', { hasText: name }).waitFor();

describe.concurrent('a newcomer is led on', () => {
  it('from a finished run to its test and to the next version, the focus with them', async () => {
    const page = await server.open('steps=30&pace=1&overfits');
    await chooseFiles(page);
    await page.getByText('Ready to start').waitFor();
    await press(page, 'Start training');
    await page.getByRole('heading', { name: 'V2 is ready' }).waitFor();
    await arrives(page, 'V2 is ready');
    await page
      .getByText(/^V2 is \w+ than V1 by [\d.]+: .*; step 20 was better( still)?, by [\d.]+: take it\?$/)
      .waitFor();
    await page.getByRole('log').getByText('Before the first step: eval loss').waitFor();
    await page.getByRole('columnheader', { name: 'Eval loss' }).waitFor();
    await accessible(page, 'finished');
    const download = page.waitForEvent('download');
    await press(page, 'Take step 20 as V2');
    expect((await download).suggestedFilename()).toBe('adapter-v2-step-20.zip');
    await page.getByText(/^Step 20 as V2 is in your downloads .*; here it stands for V2 too/).waitFor();
    // What was taken comes first, in the chat, in the test and for the next version.
    const versions = page.getByLabel('V2 is');
    expect(await versions.locator('option').allTextContents()).toEqual([
      'step 20, taken',
      'step 30, the last',
    ]);
    expect(await versions.inputValue()).toBe('20');
    await accessible(page, 'with what was taken');
    const asked = page.locator('chat-view').getByRole('checkbox', { checked: true });
    expect(
      await asked.evaluateAll((boxes) => boxes.map((box) => box.parentElement!.textContent!.trim())),
    ).toEqual(['V1', 'V2 step 20']);
    await page.getByText('Use V2 in Python').click();
    await page.getByText('PeftModel.from_pretrained').waitFor();
    await press(page, 'Use V2 in other programs');
    await arrives(page, 'Use V2 at step 20');
    await page
      .getByText(/^v2-step-20-merged: 2\.9 GiB will be written, once the base’s folder is chosen\.$/)
      .waitFor();
    await press(page, 'Back to the run');
    await arrives(page, 'V2 is ready');
    await press(page, 'Test V1 against V2');
    await arrives(page, 'Test');
    await page.getByText('Order: V1, V2 step 20').waitFor();
    await page.getByRole('button', { name: 'Train', exact: true }).click();
    await press(page, 'Train V3 from V2');
    await arrives(page, 'Choose three things');
    await page.getByRole('heading', { name: 'Adapter V2 step 20' }).waitFor();
    await page.getByRole('button', { name: 'Train', exact: true }).click();
    await versions.selectOption('step 30, the last');
    await versions.locator('option', { hasText: /^step 20$/ }).waitFor({ state: 'attached' });
    await press(page, 'Train V3 from V2');
    await page.getByRole('heading', { name: 'Adapter V2', exact: true }).waitFor();
    await page.context().close();
  });

  it('to the result of an earlier visit', async () => {
    const page = await server.open('family');
    await page.getByText(/has finished; its V\d is kept in this browser/).waitFor();
    await press(page, 'Open it');
    await arrives(page, 'V3 is ready');
    // What its log does not have has no plot.
    await page.getByRole('heading', { name: 'Loss' }).waitFor();
    expect(await page.getByRole('heading', { name: 'Gradient norm' }).count()).toBe(0);
    // An earlier run's own versions are tested, and not the latest run's.
    await press(page, 'Runs');
    await page
      .locator('family-tree')
      .getByRole('button', { name: /v1 \+ train/ })
      .click();
    await press(page, 'Open');
    await press(page, 'Test V1 against V2');
    await arrives(page, 'Test');
    await page.getByText('Order: V1, V2').waitFor();
    await page.getByRole('button', { name: 'Train', exact: true }).click();
    await press(page, 'Use V2 in other programs');
    await arrives(page, 'Use V2');
    await press(page, 'Back to the run');
    await press(page, 'Train V3 from V2');
    await arrives(page, 'Choose three things');
    await page.context().close();
  });

  it.each(['none', 'software'])('from a missing GPU to what can be done (%s)', async (device) => {
    const page = await server.open(`device=${device}`);
    await press(page, 'What to do');
    await page.getByRole('dialog', { name: 'This machine' }).getByText('Google Chrome 156').waitFor();
    await page.context().close();
  });
});
