import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { accessible, fits, focused } from '../support/page-checks.ts';
import { servePage } from './page-server.ts';

let server: Awaited<ReturnType<typeof servePage>>;
beforeAll(async () => {
  server = await servePage('dist/page-corrections');
});
afterAll(() => server?.close());

const button = (page: Page, name: string | RegExp) => page.getByRole('button', { name });
const tray = (page: Page) => page.locator('correction-tray');
const box = (page: Page) => page.getByRole('textbox', { name: /^What should have been answered/ });
const cell = (page: Page, question: number, version: number) =>
  page.locator('compare-table-view tbody tr').nth(question).locator('td').nth(version);
const row = (i: number) =>
  JSON.stringify({ text: `### Instruction:\nOld ${i}?\n\n### Response:\nAnswer ${i}.<|im_end|>` });
const ROWS = Array.from({ length: 30 }, (_, i) => row(i)).join('\n');

const stage = (page: Page, name: string) =>
  page.getByRole('navigation', { name: 'Stages' }).getByRole('button', { name }).click();

async function openTest(page: Page): Promise<void> {
  await stage(page, 'Test');
  await button(page, 'Open questions.json: V1, V2').click();
  await page.getByRole('heading', { name: 'V2 is better than V1' }).waitFor();
}

it('corrects by keyboard, keeps it over a reload, trains the next version, and says what that has mended', async () => {
  const page = await server.open(`family&tested=20&pace=0&steps=20&rows=${encodeURIComponent(ROWS)}`, {
    reducedMotion: 'reduce',
  });
  await openTest(page);
  // From any button of the answer's cell; nothing is kept that is empty.
  await button(page, 'Best of question 1: V2').focus();
  await page.keyboard.press('e');
  const wrong = await box(page).inputValue();
  expect(wrong).toMatch(/^Fuse 1 can be /);
  expect(await focused(page)).toBe('What should have been answered: question 1, V2');
  await box(page).fill('  ');
  await page.keyboard.press('Control+Enter');
  await page.getByText('The correction is empty, expected what should have been answered').waitFor();
  await box(page).fill('It is in hall 9.\n');
  await page.keyboard.press('Control+Enter');
  await tray(page).getByRole('heading', { name: '1 correction' }).waitFor();
  expect(await focused(page)).toBe('Edit question 1, V2');
  await cell(page, 0, 1).getByText('It is in hall 9.').waitFor();
  // What was written and left is there again, and nothing else of it.
  await page.keyboard.press('e');
  await box(page).fill('It is in hall 10.');
  await page.keyboard.press('Escape');
  expect(await focused(page)).toBe('Edit question 1, V2');
  expect(await cell(page, 0, 1).getByText('It is in hall 10.').count()).toBe(0);
  await page.keyboard.press('e');
  expect(await box(page).inputValue()).toBe('It is in hall 10.');
  await page.keyboard.press('Control+Enter');
  await cell(page, 0, 1).getByText('It is in hall 10.').waitFor();
  // The same answer is an approval; the expected one can be taken.
  await button(page, 'Correct question 2, V2').click();
  await page.keyboard.press('Control+Enter');
  await cell(page, 1, 1).getByText('✓ Approved').waitFor();
  await button(page, 'Correct question 3, V1').click();
  await button(page, 'Take the expected answer').click();
  await page.keyboard.press('Control+Enter');
  await tray(page).getByRole('heading', { name: '3 corrections' }).waitFor();
  await button(page, 'Remove question 2, V2').click();
  await tray(page).getByRole('heading', { name: '2 corrections' }).waitFor();
  expect(await focused(page)).toBe('Correct question 2, V2');
  await button(page, 'Undo the removal').click();
  await tray(page).getByRole('heading', { name: '3 corrections' }).waitFor();

  // Its address is the test's.
  await page.reload();
  await tray(page).getByRole('heading', { name: '3 corrections' }).waitFor();
  await tray(page)
    .getByText(
      'On top of V2, with 9 of 30 earlier rows, as text with “### Instruction:” · 7 epochs, 42 steps',
    )
    .waitFor();
  await tray(page).getByText('What is trained, and how').click();
  await tray(page).getByLabel('Earlier rows, against forgetting').selectOption('50% of all rows');
  await tray(page).getByText('with 3 of 30 earlier rows').waitFor();
  await accessible(page, 'the tray');
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    button(page, 'Download the rows (.jsonl)').click(),
  ]);
  expect(download.suggestedFilename()).toBe('corrections.jsonl');
  const lines = readFileSync(await download.path(), 'utf8')
    .trimEnd()
    .split('\n');
  expect(lines.length).toBe(6);
  expect(JSON.parse(lines[0]!)).toEqual({
    text: '### Instruction:\nWhere can fuse 1 be found, and what does it cost?\n\n### Response:\nIt is in hall 10.<|im_end|>',
  });
  expect(lines.slice(3).every((line) => ROWS.includes(line))).toBe(true);

  await button(page, 'Train V3 on 3 corrections').click();
  // When it has finished, the questions are asked again; where the page is, it stays.
  await page.getByRole('heading', { name: 'V3 is ready' }).waitFor();
  await page
    .getByText('The test questions.json: V2, V3 has finished: the answers of V2 and V3 stand side by side.')
    .waitFor();
  await button(page, 'Show the test').click();
  await page.getByRole('heading', { name: 'V3 mends 1 of 1 corrected answer' }).waitFor();
  await page.getByText('questions.json: V2, V3').first().waitFor();
  await page.getByText('Without the 3 questions that were corrected and trained on:').waitFor();
  await page.getByRole('row', { name: /^V3, without questions trained on/ }).waitFor();
  await button(page, 'Show it (mended)').click();
  await page.getByText('1 of 20 questions', { exact: true }).waitFor();
  await page.getByText('trained into V3').first().waitFor();
  await page.getByLabel('Show', { exact: true }).selectOption('Trained on');
  await page.getByText('3 of 20 questions', { exact: true }).waitFor();
  await accessible(page, 'what was mended');
  // The next correction waits at V3; those of V2 are known as trained.
  await button(page, /^Correct question \d+, V3/)
    .first()
    .click();
  await page.keyboard.press('Control+Enter');
  await button(page, 'Train V4 on 1 correction').waitFor();
  await page.context().close();
});

it('asks for earlier rows that it has no way to, empties the tray, and fits a phone', async () => {
  const page = await server.open('family&tested=20&pace=0', {
    viewport: { width: 380, height: 800 },
    colorScheme: 'dark',
    reducedMotion: 'reduce',
  });
  await openTest(page);
  await button(page, 'Correct question 1, V2').click();
  await box(page).fill('It is in hall 9.');
  await button(page, /^Keep/).click();
  await tray(page).getByText('with no earlier rows').waitFor();
  await tray(page).getByText('What is trained, and how').click();
  await tray(page).getByText('This browser has no way to train.jsonl').waitFor();
  await tray(page)
    .locator('[data-slot^=earlier-]')
    .setInputFiles({ name: 'train.jsonl', mimeType: 'application/jsonl', buffer: Buffer.from(ROWS) });
  await tray(page).getByText('with 3 of 30 earlier rows').waitFor();
  await fits(page, 'the tray');
  await accessible(page, 'the tray in the dark');
  await button(page, 'Look at the settings first').click();
  await page.getByRole('heading', { name: 'Choose three things' }).waitFor();
  await page.getByText('corrections.jsonl').first().waitFor();
  await stage(page, 'Test');
  await tray(page).getByText('What is trained, and how').click();
  await button(page, 'Empty the tray').click();
  await page.keyboard.press('Enter');
  await tray(page).getByRole('heading', { name: '0 corrections' }).waitFor();
  await button(page, 'Undo emptying the tray').click();
  await tray(page).getByRole('heading', { name: '1 correction' }).waitFor();

  // The chat with the same version has the same tray.
  await stage(page, 'Runs');
  await page
    .locator('family-tree')
    .getByRole('button', { name: /v1 \+ train/ })
    .click();
  await page.locator('runs-detail-view').getByRole('button', { name: 'Open', exact: true }).click();
  await tray(page).getByRole('heading', { name: '1 correction' }).waitFor();
  await page.getByPlaceholder('Ask something that the new rows teach').fill('Where is fuse 45?');
  await page.keyboard.press('Enter');
  await button(page, 'Correct message 1, V2').focus();
  await page.keyboard.press('e');
  await box(page).fill('In hall 12.');
  await page.keyboard.press('Control+Enter');
  await tray(page).getByRole('heading', { name: '2 corrections' }).waitFor();
  expect(await focused(page)).toBe('Edit message 1, V2');
  await fits(page, 'a corrected chat');
  await page.context().close();
});
