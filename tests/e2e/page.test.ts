import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GivenInputs } from '../../src/engine/protocol/protocol.ts';
import { securityHeaders } from '../../src/platform/security-headers.ts';
import { accessible, accessibleInBothSchemes, focusOn, inView, orphans } from '../support/page-checks.ts';
import { pickCase, stubPickers } from '../support/real-page.ts';
import { CASE, chooseFiles, servePage } from './page-server.ts';

const work = mkdtempSync(join(tmpdir(), 'retune-page-'));
/** A folder that holds two adapters. */
function makeAdapters(): string {
  const models = join(work, 'models');
  for (const name of ['fine_tuned_v2', 'fine_tuned']) {
    cpSync(`${CASE}/v1`, join(models, name), { recursive: true });
  }
  return models;
}

let server: Awaited<ReturnType<typeof servePage>>;
beforeAll(async () => {
  server = await servePage('dist/page-test');
});
afterAll(() => {
  rmSync(work, { recursive: true });
  return server?.close();
});

const open = async (search?: string) =>
  server.open(search, { colorScheme: 'light', reducedMotion: 'reduce' });
const button = (page: Page, name: string | RegExp) => page.getByRole('button', { name });
const stage = (page: Page, name: string) =>
  page.getByRole('navigation', { name: 'Stages' }).getByRole('button', { name }).click();
const ready = (page: Page) => page.getByText('Ready to start').waitFor();
const begin = async (page: Page) => {
  await chooseFiles(page);
  await ready(page);
  await button(page, 'Start training').click();
};

describe.concurrent('the page', () => {
  it('starts the engine in a worker and names the device it found', async () => {
    const page = await server.browser.newPage();
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
    await page.goto(server.url);
    await page.getByText(/Chrome offers only a software device/).waitFor();
    expect(await page.locator('.device').textContent()).toMatch(/swiftshader/i);
    expect(problems).toEqual([]);
    await page.close();
  });

  it('leads from the first choice to the result by keyboard alone', async () => {
    const context = await server.browser.newContext();
    // Without pickers the buttons open file inputs, as in browsers that lack them.
    await context.addInitScript(() => {
      for (const picker of ['showDirectoryPicker', 'showOpenFilePicker']) {
        Object.defineProperty(window, picker, { value: undefined });
      }
    });
    const page = await context.newPage();
    await page.goto(`${server.url}tests/e2e/fake.html`);
    // One permanent listener: file choosers are intercepted only while there is one.
    page.on('filechooser', () => undefined);
    const choose = async (name: string, path: string) => {
      await tabTo(page, name);
      const [chooser] = await Promise.all([page.waitForEvent('filechooser'), page.keyboard.press('Enter')]);
      await chooser.setFiles(path);
    };
    // Of a folder above the only base that one is taken, and of several adapters one is asked for.
    await choose('Choose folder: Base model', CASE);
    await page.getByText('recipe_text/base').waitFor();
    await choose('Choose folder: Adapter V1', makeAdapters());
    await page.getByText('Which one? models holds 2 adapters:').waitFor();
    await accessible(page, 'offers');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.getByText('models/fine_tuned_v2').waitFor();
    await choose('Choose file: New rows', `${CASE}/train.jsonl`);
    await ready(page);
    await tabTo(page, 'Start training');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'V2 is ready' }).waitFor();
    await tabTo(page, 'Question');
    await page.keyboard.type('Where is fuse 45?');
    await page.keyboard.press('Enter');
    await page.getByText('It costs 3.5 €.').waitFor();
    await tabTo(page, 'Download V2 (.zip)');
    const [download] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('Enter')]);
    expect(download.suggestedFilename()).toBe('adapter-v2.zip');
    await context.close();
  });

  it('gives axe nothing serious to find, in the light and in the dark', async () => {
    const page = await open('holdAt=25');
    await accessibleInBothSchemes(page, 'empty');
    await wrongFiles(page);
    await accessibleInBothSchemes(page, 'wrong files');
    const described = page.locator('choice-card [aria-describedby=report]');
    expect(await described.count()).toBe(3);
    expect(await orphans(page)).toEqual([]);
    // What is removed leaves the focus at the heading of what stays.
    await button(page, 'Remove New rows').press('Enter');
    await focusOn(page, 'New rows');
    await chooseFiles(page);
    await page.getByLabel('Accumulation').fill('16');
    await page.locator('[data-slot=recipe]').setInputFiles(`${CASE}/training_config.yaml`);
    await ready(page);
    await page.getByText('Memory by kind', { exact: true }).click();
    await page.getByText('About 10 min 00 s, at 900 tokens per second.').waitFor();
    await accessibleInBothSchemes(page, 'chosen');
    for (const top of [0, 1500, 9999]) {
      await page.evaluate((to) => scrollTo(0, to), top);
      expect(await inView(button(page, 'Start training')), `scrolled by ${top}`).toBe(true);
    }
    await button(page, 'Start training').click();
    await page.getByText('Step 25 of 60').waitFor();
    await accessibleInBothSchemes(page, 'training');
    await page.getByRole('status').getByText('Training, 40% done, checkpoint of step 20 kept.').waitFor();
    await button(page, 'Stop').click();
    await page.getByRole('heading', { name: 'Stopped' }).waitFor();
    // Its button is gone with the others.
    await focusOn(page, 'Stopped');
    await accessibleInBothSchemes(page, 'stopped');
    await page.goto(`${server.url}tests/e2e/fake.html?steps=20`);
    await begin(page);
    await page.getByRole('heading', { name: 'V2 is ready' }).waitFor();
    await page.getByLabel('Question').fill('Where?');
    await button(page, 'Ask').click();
    await page.getByText('It costs 3.5 €.').waitFor();
    await accessibleInBothSchemes(page, 'finished');
    await page.context().close();
  });

  it('says in each card what is wrong with what was chosen, and does not start', async () => {
    const page = await open();
    await wrongFiles(page);
    const sentences = [
      'base: adapter_config.json is missing, expected a PEFT adapter folder; choose the folder that PEFT saved.',
      'config.json: line 1 is not JSON, expected one JSON object a line; correct the file.',
      'Accumulation: the value is "0", expected a whole number at least 1; change it.',
    ];
    for (const sentence of sentences) {
      await page.getByText(sentence).waitFor();
    }
    await page.getByText(/train\.jsonl: not valid YAML/).waitFor();
    await button(page, 'Start training').click({ force: true });
    expect(await page.getByRole('heading', { level: 2, name: 'Choose three things' }).isVisible()).toBe(true);
    await page.locator('[data-slot=base]').setInputFiles(`${CASE}/v1`);
    await page.getByText(/v1: config.json is missing/).waitFor();
    await page.context().close();
  });

  it('shows hidden characters of rows by name, and the trained part as such', async () => {
    const page = await open();
    await page.locator('[data-slot=base]').setInputFiles(`${CASE}/base`);
    const text = '### Instruction:\n<b>Q</b>\u202e\n\n### Response:\nA';
    const buffer = Buffer.from(JSON.stringify({ text }));
    await page.locator('[data-slot=train]').setInputFiles({ name: 'rows.jsonl', mimeType: '', buffer });
    const row = page.getByRole('group', { name: 'Row of line 1', exact: true });
    expect(await row.textContent()).toBe('### Instruction:\n<b>Q</b>U+202E\n\n### Response:\nA');
    expect(await row.locator('mark').textContent()).toBe('### Response:\nA');
    await page.context().close();
  });

  it('shows the progress in its title, pauses, resumes, stops and continues', async () => {
    const page = await open('holdAt=30&pace=2');
    await begin(page);
    await page.getByText('Step 30 of 60').waitFor();
    expect(await page.title()).toMatch(/^50% · loss \d\.\d{3} · Retune$/);
    await button(page, 'Pause').click();
    await page.getByRole('heading', { name: 'Paused' }).waitFor();
    expect(await page.title()).toBe('Paused 50% · Retune');
    await button(page, 'Resume').click();
    await page.getByRole('heading', { name: 'Training' }).waitFor();
    await button(page, 'Stop').click();
    await page.getByRole('heading', { name: 'Stopped' }).waitFor();
    expect(await page.title()).toBe('Stopped 50% · v1 + train.jsonl · Retune');
    await button(page, 'Continue from the last checkpoint').click();
    await page.getByRole('heading', { name: 'Training' }).waitFor();
    await page.context().close();
  });

  it('says why a run failed, and offers to resume', async () => {
    const page = await open('failsAt=23');
    await begin(page);
    await page.getByRole('alert').getByText('Step 23: the loss is not a number').waitFor();
    expect(await page.title()).toBe('Action needed · v1 + train.jsonl · Retune');
    expect(await button(page, 'Continue from the last checkpoint').isVisible()).toBe(true);
    await page.context().close();
  });

  it('finds an unfinished run, and resumes it once its files are chosen again', async () => {
    const page = await open('unfinished');
    await page.getByText(/v1 \+ train\.jsonl is unfinished, at step 20 of 60/).waitFor();
    const resume = button(page, 'Continue the run');
    expect(await resume.getAttribute('aria-disabled')).toBe('true');
    await page
      .getByText(/To resume it, choose the same files again below: base, v1, train\.jsonl\./)
      .waitFor();
    await chooseFiles(page);
    await ready(page);
    await resume.click();
    await page.getByRole('heading', { name: 'V2 is ready' }).waitFor();
    await page.context().close();
  });

  it('automatically resumes a later run of the demo, whose base is shipped with the page', async () => {
    const page = await server.browser.newPage();
    await page.route('**/demo/**', (route) =>
      route.fulfill({ path: `public/demo/${route.request().url().split('/demo/')[1]}` }),
    );
    await page.goto(`${server.url}tests/e2e/fake.html?unfinished=demo`);
    await page.getByRole('heading', { name: 'V3 is ready' }).waitFor();
    const given = await page.evaluate(() => {
      const { base, ...others } = (globalThis as unknown as { given: GivenInputs }).given;
      return { base: base!.name, files: base!.files.map(({ name }) => name).toSorted(), others };
    });
    expect(given).toEqual({
      base: 'demo/base',
      files: readdirSync('public/demo/base').toSorted(),
      others: {},
    });
    await page.close();
  });

  it('says calmly where the first tab is, and offers what it left once it has ended', async () => {
    const page = await open('elsewhere=training&unfinished&restarts=1');
    const notice = page.getByText(/^Another tab of this browser is training v1 \+ other\.jsonl\./);
    await notice.waitFor();
    expect(await page.getByRole('heading', { name: 'Choose three things' }).isVisible()).toBe(true);
    await page.evaluate(() => dispatchEvent(new Event('update-comes')));
    await chooseFiles(page);
    await page.getByText('Another tab is training.', { exact: true }).waitFor();
    // What is planned moves the button.
    await page.getByText('Memory by kind', { exact: true }).waitFor();
    await button(page, 'Start training').click({ force: true });
    await button(page, 'Look again').click();
    await notice.waitFor();
    await accessible(page, 'elsewhere');
    const update = page.getByText('A new version of Retune is available.');
    expect(await update.count()).toBe(0);
    await page.evaluate(() => dispatchEvent(new Event('elsewhere-ends')));
    await update.waitFor();
    expect(await notice.count()).toBe(0);
    await button(page, 'Reload to update').click();
    await page.locator('body#taken').waitFor();
    await ready(page);
    await button(page, 'Continue the run').click();
    await page.getByRole('heading', { name: 'V2 is ready' }).waitFor();
    await page.context().close();
  });

  it('says that the other tab is testing where it is', async () => {
    const page = await open('elsewhere=testing');
    await page
      .getByText(/^Another tab of this browser is testing v1 \+ other\.jsonl\..* the test continues/)
      .waitFor();
    await page.getByText('Another tab is testing.', { exact: true }).waitFor();
    await page.context().close();
  });

  it('does not automatically resume a run that did so three times without a new checkpoint', async () => {
    const page = await open('unfinished&restarts=3&handles');
    await page.getByText(/It resumed three times without reaching a new checkpoint/).waitFor();
    await button(page, 'Continue the run').click();
    await page.getByRole('heading', { name: 'V2 is ready' }).waitFor();
    await page.context().close();
    const other = await open('unfinished&restarts=2&handles');
    await other.getByRole('heading', { name: 'V2 is ready' }).waitFor();
    await other.context().close();
  });

  it('takes what a run may take of this device, and keeps it for the next visit', async () => {
    const page = await open();
    await chooseFiles(page);
    const memory = page.getByLabel('GPU memory at most');
    await memory.fill('3.5 or so');
    await page
      .getByText(/GPU memory: the value is "3\.5 or so", expected a number .*0; change it\./)
      .waitFor();
    await page.getByText('Fix first: GPU memory.').waitFor();
    await memory.fill('3.5');
    await ready(page);
    await page.getByLabel('Leave GPU time to other programs').check();
    await page.getByLabel('Precision').selectOption('f32');
    await page.getByText('About 10 min 00 s, at 900 tokens per second.').waitFor();
    expect(await page.evaluate(() => (globalThis as unknown as { settings: unknown }).settings)).toEqual({
      memory: 3.5 * 2 ** 30,
      yieldGpu: true,
      precision: 'f32',
    });
    await page.reload();
    await page.getByRole('heading', { level: 2 }).first().waitFor();
    expect(await memory.inputValue()).toBe('3.5');
    expect(await page.getByLabel('Leave GPU time to other programs').isChecked()).toBe(true);
    expect(await page.getByLabel('Precision').inputValue()).toBe('f32');
    await page.context().close();
  });

  it('measures how long a run takes by itself, and starts it without waiting for that', async () => {
    const page = await open('holdSpeed&holdAt=5');
    await chooseFiles(page);
    await page.getByText('Measuring one pass: loading the base, 45%…').waitFor();
    await page.getByRole('button', { name: /^Cancel.*Time/ }).click();
    await page.getByText(/^Measuring was canceled; try again to know how long/).waitFor();
    await page.getByLabel('Longest row').fill('400');
    await page.getByText('Measuring one pass: loading the base, 45%…').waitFor();
    await page.getByText('Ready to start').waitFor();
    await button(page, 'Start training').click();
    await page.getByText('Step 5 of 60').waitFor();
    await page.goto(`${server.url}tests/e2e/fake.html`);
    await chooseFiles(page);
    await page.getByText('About 10 min 00 s, at 900 tokens per second.').waitFor();
    await page.getByLabel('Epochs').fill('1');
    await page.getByText('About 5 min 00 s, at 900 tokens per second.').waitFor();
    await page.getByLabel('Longest row').fill('400');
    await page.getByText(/^Measured with 611 tokens in the longest row; now 400\. Measuring/).waitFor();
    await page.getByText('About 5 min 00 s, at 900 tokens per second.').waitFor();
    await page.context().close();
  });

  it('keeps what is chosen and set until a run begins with it, and asks once to read it again', async () => {
    const context = await server.browser.newContext();
    await stubPickers(context);
    await context.addInitScript(() => {
      let asked: PermissionState = 'prompt';
      Object.assign(FileSystemHandle.prototype, {
        queryPermission: async () => asked,
        requestPermission: async () => (asked = 'granted'),
      });
    });
    const page = await context.newPage();
    await page.goto(`${server.url}tests/e2e/fake.html?holdAt=5`);
    await pickCase(page, 'recipe_text');
    const epochs = page.locator('input[name=num_train_epochs]');
    await epochs.fill('7');
    await ready(page);
    await page.reload();
    await page
      .getByText(/^You had chosen base, source, train\.jsonl, val\.jsonl\. The browser asks again/)
      .waitFor();
    expect(await epochs.inputValue()).toBe('7');
    await accessible(page, 'waiting for permission');
    // Nothing is asked for a base that the cache holds.
    await page.goto(`${server.url}tests/e2e/fake.html?holdAt=5&family&keptBase`);
    await page
      .getByText(/^You had chosen source, train\.jsonl, val\.jsonl\. The browser asks again/)
      .waitFor();
    await button(page, 'Choose them again').click();
    await ready(page);
    await page.locator('choice-card').getByText('training_config.yaml').waitFor();
    await button(page, 'Start training').click();
    await page.getByText('Step 5 of 60').waitFor();
    page.on('dialog', (dialog) => void dialog.accept());
    await page.reload();
    await page.getByText(/^Still to choose: Base model, Adapter V1, New rows/).waitFor();
    expect(await epochs.inputValue()).toBe('2');
    expect(await page.getByText(/^You had chosen/).count()).toBe(0);
    await context.close();
  });

  it('holds some of the new rows out where there are none to validate on, unless told not to', async () => {
    const context = await server.browser.newContext();
    const page = await context.newPage();
    await page.goto(`${server.url}tests/e2e/fake.html`);
    await chooseFiles(page);
    const chooseRows = (count: number) => {
      const rows = Array.from({ length: count }, (_, i) => JSON.stringify({ text: `row ${i}` })).join('\n');
      const file = { name: 'rows.jsonl', mimeType: 'application/jsonl', buffer: Buffer.from(rows) };
      return page.locator('[data-slot=train]').setInputFiles(file);
    };
    await chooseRows(19);
    const few = page.getByRole('checkbox', { name: 'Too few new rows to hold some out' });
    await few.waitFor();
    expect(await few.isDisabled()).toBe(true);
    await chooseRows(41);
    const hold = page.getByRole('checkbox', { name: 'Hold out 5% of the new rows (3 rows)' });
    expect(await hold.isChecked()).toBe(true);
    await page.getByText('3 new rows, held out of training.').waitFor();
    await ready(page);
    const saved = async () => {
      await stage(page, 'Recipe');
      const download = page.waitForEvent('download');
      await button(page, 'Save as training_config.yaml').click();
      const text = readFileSync(await (await download).path(), 'utf8');
      await stage(page, 'Choose');
      return text;
    };
    expect(await saved()).toContain('val_size: 0.05');
    await hold.uncheck();
    expect(await page.getByText('held out of training').count()).toBe(0);
    expect(await saved()).not.toContain('val_size');
    await page.reload();
    // Of files without handles the browser keeps copies, of folders nothing.
    await page.locator('[data-slot=base]').setInputFiles(`${CASE}/base`);
    await page.locator('[data-slot=source]').setInputFiles(`${CASE}/v1`);
    await ready(page);
    expect(await hold.isChecked()).toBe(false);
    await context.close();
  });

  it('says what to do where there is no GPU', async () => {
    const page = await open('device=none');
    const alert = page.getByRole('alert').getByText(/update the graphics driver/);
    await alert.waitFor();
    await chooseFiles(page);
    await page.getByText('Fix first: GPU.').waitFor();
    await page.context().close();
  });
});

it.concurrent('after one visit the page and its demo work without network', async () => {
  const context = await server.browser.newContext();
  const page = await context.newPage();
  await page.goto(server.url);
  await page.getByText('Ready to work offline.').waitFor();
  const cached = await page.evaluate(async () => {
    const caches = await Promise.all((await window.caches.keys()).map((key) => window.caches.open(key)));
    const kept = (await Promise.all(caches.map((cache) => cache.matchAll()))).flat();
    return kept.map(({ url, headers }) => ({ url, headers: Object.fromEntries(headers) }));
  });
  expect(cached.some(({ url }) => url.includes('/assets/host-'))).toBe(true);
  expect(cached.some(({ url }) => url.includes('demo/base/model.safetensors'))).toBe(true);
  // A page from the cache is subject to the headers of the server's page.
  const headers = Object.entries(securityHeaders).map(([name, value]) => [name.toLowerCase(), value]);
  for (const one of cached) {
    expect(one.headers, one.url).toMatchObject(Object.fromEntries(headers));
  }
  await context.setOffline(true);
  await page.reload();
  await page.getByText(/Chrome offers only a software device/).waitFor();
  await button(page, /Use the demo/).click();
  await page.getByRole('group', { name: 'Row of line 1', exact: true }).waitFor();
  await context.close();
});

/** Fills every slot with something that does not belong there. */
async function wrongFiles(page: Page): Promise<void> {
  await page.locator('[data-slot=base]').setInputFiles(`${CASE}/base`);
  await page.locator('[data-slot=source]').setInputFiles(`${CASE}/base`);
  await page.locator('[data-slot=train]').setInputFiles(`${CASE}/base/config.json`);
  await page.locator('[data-slot=recipe]').setInputFiles(`${CASE}/train.jsonl`);
  await page.getByLabel('Accumulation').fill('0');
  await page.getByText(/config.json: line 1 is not JSON/).waitFor();
}

/** Presses Tab until the named control has the focus. */
async function tabTo(page: Page, name: string): Promise<void> {
  const seen: string[] = [];
  for (let i = 0; i < 90; i++) {
    await page.keyboard.press('Tab');
    const focused = await page.evaluate(() => {
      let element = document.activeElement;
      while (element?.shadowRoot?.activeElement) {
        element = element.shadowRoot.activeElement;
      }
      const label = (element as HTMLInputElement | null)?.labels?.[0] ?? element;
      return label?.textContent?.replace(/\s+/g, ' ').replaceAll(' : ', ': ').trim() ?? '';
    });
    if (focused === name) {
      return;
    }
    seen.push(focused);
  }
  throw new Error(`Tab never reached ${name}, but ${seen.join(' | ')}`);
}
