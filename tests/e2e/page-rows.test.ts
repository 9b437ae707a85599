import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseRowChanges } from '../../src/formats/row-changes.ts';
import { accessible, fits, shownInForcedColors } from '../support/page-checks.ts';
import { CASE, servePage } from './page-server.ts';

const work = mkdtempSync(join(tmpdir(), 'retune-page-rows-'));
const rows = join(work, 'train.jsonl');
const text = (i: number): string =>
  `### Instruction:\nWhat is ${i}?\n### Response:\n${i === 7 ? 'Much. '.repeat(400) : `It is ${i % 20}.`}`;
const lines = Array.from({ length: 25 }, (_, i) => JSON.stringify({ text: i === 11 ? text(3) : text(i) }));

let server: Awaited<ReturnType<typeof servePage>>;
beforeAll(async () => {
  writeFileSync(rows, `${lines.join('\n')}\n`);
  server = await servePage('dist/page-rows-test');
});
afterAll(() => {
  rmSync(work, { recursive: true });
  return server?.close();
});

const button = (page: Page, name: string | RegExp) => page.getByRole('button', { name });
const told = (page: Page, words: string | RegExp) => page.getByRole('status').getByText(words).waitFor();
const figures = (page: Page) => page.locator('rows-view dl').innerText();

async function download(page: Page, name: string): Promise<string> {
  const waiting = page.waitForEvent('download');
  await button(page, name).click();
  const to = join(work, 'downloaded');
  const file = await waiting;
  await file.saveAs(to);
  return `${file.suggestedFilename()}\n${readFileSync(to, 'utf8')}`;
}

it('looks through all rows: search, leave out, edit, undo, export', async () => {
  const page = await server.open('', { reducedMotion: 'reduce' });
  await page.locator('[data-slot=base]').setInputFiles(`${CASE}/base`);
  await page.locator('[data-slot=source]').setInputFiles(`${CASE}/v1`);
  await page.locator('[data-slot=train]').setInputFiles(rows);
  await button(page, 'Look through all 25 rows').click();
  await told(page, 'All rows: 1–10 of 25.');
  expect(await page.evaluate(() => document.activeElement?.shadowRoot !== null)).toBe(true);
  expect(await figures(page)).toMatch(/25, as text[^]*none[^]*line 8[^]*1, at 2,048 tokens[^]*1\s+Nothing/);
  await page.getByRole('img', { name: /^Lengths of 25 rows in tokens, up to/ }).waitFor();

  await page.locator('rows-view').getByLabel('Show').selectOption('Duplicates');
  await told(page, 'Duplicates: 1–1 of 1.');
  await page.getByText('same as line 4').waitFor();
  await button(page, 'Leave out: line 12').click();
  await page.getByText('1 row left out').waitFor();
  expect(await figures(page)).toContain('24, as text');

  await page.getByLabel('Search all rows').fill('IS 1');
  await page.keyboard.press('Enter');
  await told(page, 'Rows that hold “IS 1”: 1–10 of 11.');
  await button(page, 'Next').click();
  await told(page, '11–11 of 11.');
  await page.getByLabel('Search all rows').fill('2');
  await button(page, 'Search').click();
  // The row of that number comes first, then those that hold it.
  await button(page, 'Edit: line 2').first().click();

  const area = page.getByLabel('Edit line 2, as JSON');
  expect(JSON.parse(await area.inputValue())).toEqual({ text: text(1) });
  await area.fill('{"text": ');
  await button(page, 'Take the edit').click();
  await page.getByRole('alert').getByText('row 2: not valid JSON at column 10').waitFor();
  await area.fill('{"prompt": "a"}');
  await button(page, 'Take the edit').click();
  await page
    .getByRole('alert')
    .getByText('train.jsonl, line 2, as edited: the key text is missing')
    .waitFor();
  await accessible(page, 'editing a row');
  await area.fill('{"text": "### Response:\\nEdited."}');
  await button(page, 'Take the edit').click();
  await page.getByText('1 row left out, 1 edited').first().waitFor();
  await page.locator('rows-view mark').getByText('Edited.').waitFor();

  const exported = await download(page, 'Export the rows as they are trained');
  const expected = lines.with(1, '{"text": "### Response:\\nEdited."}').toSpliced(11, 1);
  expect(exported).toBe(`train-as-trained.jsonl\n${expected.join('\n')}\n`);
  expect(await download(page, 'As token ids and labels')).toBe('train-as-trained.parquet\nPAR1 train.jsonl');
  const [name, ...json] = (await download(page, 'Export the changes')).split('\n');
  expect(name).toBe('train-changes.json');
  const changes = parseRowChanges(json.join('\n'), name!);
  expect(changes).toMatchObject({ leftOut: [12], edited: [[2, '{"text": "### Response:\\nEdited."}']] });
  await button(page, 'Undo').click();
  await button(page, 'Undo').click();
  await page.locator('rows-view dd').getByText('none', { exact: true }).waitFor();
  await button(page, 'Leave out: line 2').first().click();
  await page.getByText('Ready to start').waitFor();
  await accessible(page, 'rows');
  await page.setViewportSize({ width: 360, height: 800 });
  await fits(page, 'rows');
  await button(page, 'Close').click();
  await button(page, /^Look through all/).click();
  await page.getByText('1 row left out').waitFor();
  await shownInForcedColors(page, [
    [
      'histogram',
      page.getByRole('img', { name: /^Lengths/ }),
      (plot) => plot.querySelectorAll('rect').forEach((bar) => bar.remove()),
    ],
  ]);
  await page.context().close();
});
