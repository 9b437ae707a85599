import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accessible, accessibleInBothSchemes, fits } from '../support/page-checks.ts';
import { servePage } from './page-server.ts';

let server: Awaited<ReturnType<typeof servePage>>;
beforeAll(async () => {
  server = await servePage('dist/device-report-test');
});
afterAll(() => server?.close());

describe("the report behind the device's name", () => {
  it('opens, copies as text and gives the focus back, by keyboard alone', async () => {
    const page = await server.open();
    const device = page.getByRole('button', { name: 'what this machine has' });
    await device.focus();
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog', { name: 'This machine' });
    await dialog.getByText('1 line marked ! says what you can do; the rest is fine.').waitFor();
    await accessible(page, 'report');
    // What hides in foreign text is shown.
    await dialog.getByText('U+202E').waitFor();

    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await dialog.getByText('Copied.', { exact: true }).waitFor();
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
    expect(await device.evaluate((button) => button.matches(':focus'))).toBe(true);

    await page.evaluate(() => document.body.append(document.createElement('textarea')));
    const paper = page.locator('body > textarea');
    await paper.focus();
    await page.keyboard.press('Control+V');
    expect(await paper.inputValue()).toBe(`\
  ok  browser: Google Chrome 156
  ok  GPU: NVIDIA GeForce RTX 4060 Laptop GPU
look  precision f16: does not run: the device offers no shader-f16
      → update the NVIDIA driver to 615.71 or newer, or start Chrome with --enable-dawn-features=vulkan_enable_f16_on_nvidia
      → close every window of Chrome first\u202e`);
    await page.context().close();
  });

  it('fits a phone and reads well in the light and in the dark', async () => {
    const page = await server.open('device=none', { viewport: { width: 360, height: 640 } });
    await page.getByRole('button', { name: 'what this machine has' }).click();
    await page.getByText('does not run: the device offers no shader-f16').waitFor();
    await fits(page, 'report');
    await accessibleInBothSchemes(page, 'report');
    await page.context().close();
  });
});

it('the real engine reports on browser, GPU and storage', async () => {
  const page = await server.browser.newPage();
  await page.goto(server.url);
  await page.getByText(/Chrome offers only a software device/).waitFor();
  await page.getByRole('button', { name: 'what this machine has' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('precision f32').waitFor();
  const text = (await dialog.innerText()).replaceAll(/\s+/g, ' ');
  expect(text).toMatch(/browser (Chromium|Google Chrome|Microsoft Edge|HeadlessChrome) \d+/);
  expect(text).toMatch(/GPU .*swiftshader/i);
  expect(text).toMatch(/chrome:\/\/settings\/system/);
  expect(text).toMatch(/storage .* used, .* left/);
  expect(text).toMatch(/kept here 0 runs, 0 tests, 0 prepared bases/);
  await page.close();
});
