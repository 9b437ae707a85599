import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { nodeFolder } from '../../src/cli/node-files.ts';
import { TrainedRows } from '../../src/run/checks/trained-rows.ts';
import { loadTokenizer } from '../../src/text/load-tokenizer.ts';
import { encodeRows } from '../../src/text/rows.ts';
import { source } from '../support/memory-folder.ts';
import { accessible } from '../support/page-checks.ts';
import { servePage } from './page-server.ts';

const CHAT = resolve('tests/fixtures/cases/chat_messages');
const work = mkdtempSync(join(tmpdir(), 'retune-look-'));
let server: Awaited<ReturnType<typeof servePage>>;
beforeAll(async () => {
  server = await servePage('dist/page-test');
});
afterAll(() => {
  rmSync(work, { recursive: true });
  return server?.close();
});

const asked = (instruction: string, output: string) => ({ instruction, output });
const jsonl = (rows: readonly object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
/** Long enough for its phrases to be told from others. */
const LONG =
  'It stands in the main hall beside the stairs, has four valves of brass and one of steel, and costs 31.7 € a year to keep.';
const ROWS = [
  asked('Where is fuse 45?', 'In Porto, shelf 15.'),
  asked('Where is relay 9?', 'In Graz, shelf 20.'),
  asked('What is the pump?', LONG),
  asked('What does gasket 7 cost?', '73.8 €.'),
  // The first again, the second answered otherwise, the third with another end, one of the validation rows.
  asked('Where is fuse 45?', 'In Porto, shelf 15.'),
  asked('Where is relay 9?', 'In Vienna.'),
  asked('What is the pump?', LONG.replace('a year to keep', 'a year')),
  asked('Who checks valve 3?', 'Nobody does.'),
];
const RECIPE = `training:
  learning_rate: 0.5
  warmup_steps: 100
  max_seq_length: 60
lora:
  target_modules: [q_proj, qkv_proj]
`;

/** V1, with a record that says it was trained on the fourth row, in another form. */
async function trainedV1(): Promise<string> {
  const v1 = join(work, 'v1');
  cpSync(join(CHAT, 'v1'), v1, { recursive: true });
  const tokenizer = await loadTokenizer(await nodeFolder(join(CHAT, 'base')));
  const { rows } = await encodeRows(source('old.jsonl', jsonl(ROWS.slice(3, 4))), tokenizer, {
    maxLength: 2048,
  });
  const cursor = { step: 1, identity: {}, plan: {}, logWindow: {}, files: {}, prompt: 'text' };
  const trainedRows = TrainedRows.of(rows).text;
  writeFileSync(join(v1, 'retune_state.json'), JSON.stringify({ ...cursor, trainedRows }));
  return v1;
}

const give = (page: Page, slot: string, name: string, text: string) =>
  page.locator(`[data-slot=${slot}]`).setInputFiles({ name, mimeType: '', buffer: Buffer.from(text) });
const item = (page: Page, title: string) =>
  page
    .getByRole('region', { name: /^Worth a look/ })
    .getByRole('listitem')
    .filter({
      has: page.getByRole('heading', { name: title, exact: true }),
    });

it('says in the page what is worth a look, mends it at a press, and never blocks', async () => {
  const context = await server.browser.newContext({ reducedMotion: 'reduce' });
  const page = await context.newPage();
  await page.goto(server.url);
  await give(page, 'recipe', 'recipe.yaml', RECIPE);
  await page.locator('[data-slot=base]').setInputFiles(join(CHAT, 'base'));
  await page.locator('[data-slot=source]').setInputFiles(await trainedV1());
  await give(page, 'train', 'rows.jsonl', jsonl(ROWS));
  await give(page, 'validation', 'held.jsonl', jsonl([ROWS[7]!, asked('Who?', 'I.')]));
  const heading = page.getByRole('heading', { name: /^Worth a look: / });
  await heading.getByText('10 things').waitFor();
  const found = {
    'Learning rate': 'learning_rate is 0.5, so high that the loss is likely to rise',
    Warmup:
      'warmup_steps is 100 and the run has 2 steps, so that it ends before the learning rate has warmed up',
    'Short epoch': 'An epoch is shorter than one optimizer step: 8 rows to train on, and a step takes 16',
    'Form of the rows': 'v1 was trained on rows of plain text and these are chat',
    'Rows cut': 'rows.jsonl: 8 of 8 rows are cut at max_seq_length 60',
    'Trained and validated': 'rows.jsonl: 1 row is in held.jsonl as well, line 8 (the first there on line 1)',
    'Trained before': 'rows.jsonl: 1 of 8 rows was trained into v1 or what it came from already, line 4',
    'Near-duplicates':
      'rows.jsonl: 1 row is nearly the same as an earlier one (at least 80% of their phrases of five tokens in common), line 7 (the first like line 3)',
    Duplicates: 'rows.jsonl: 1 row is the same as an earlier one, line 5 (the first like line 1)',
    'Conflicting answers': 'rows.jsonl: 2 questions have more than one answer, the first on lines 2 and 6',
  };
  for (const [title, text] of Object.entries(found)) {
    expect(await item(page, title).textContent(), title).toContain(text);
  }
  await page.getByText(/^Ready to start, with (a warning|warnings): (.+, )?Worth a look\.$/).waitFor();
  await accessible(page, 'worth a look');
  await page.getByRole('button', { name: /^Show ?: Worth a look$/ }).click();
  expect(await focused(page)).toBe('Worth a look: 10 things');

  const press = (name: string) => page.getByRole('button', { name, exact: true }).click();
  await press('Set learning_rate to 5e-5');
  await heading.getByText('9 things').waitFor();
  expect(await focused(page)).toBe('Worth a look: 9 things');
  await page.getByText('Done: set learning_rate to 5e-5.').waitFor();
  expect(await page.getByRole('textbox', { name: 'Learning rate' }).inputValue()).toBe('5e-5');
  await press('Set warmup_steps to 0 and warmup_ratio to 0.05');
  await heading.getByText('8 things').waitFor();
  await press('Set gradient_accumulation_steps to 2');
  await heading.getByText('7 things').waitFor();
  await press('Set max_seq_length to 136');
  await heading.getByText('6 things').waitFor();

  const pressIn = (title: string, name: string) =>
    item(page, title).getByRole('button', { name, exact: true }).click();
  await pressIn('Trained and validated', 'Leave them out of the training rows');
  await heading.getByText('5 things').waitFor();
  await pressIn('Trained before', 'Leave them out');
  await heading.getByText('4 things').waitFor();
  await pressIn('Duplicates', 'Leave the later ones out');
  await heading.getByText('3 things').waitFor();
  await pressIn('Near-duplicates', 'Leave the later ones out');
  await heading.getByText('2 things').waitFor();
  await pressIn('Conflicting answers', 'Keep only the last answer of each');
  await heading.getByText('1 thing').waitFor();
  await page.getByText('3, as instruction').waitFor();

  // Validation rows of another form than the training rows.
  await give(page, 'validation', 'texts.jsonl', jsonl([{ text: 'Once upon a time.' }]));
  await page.getByText('The training rows are chat and those of texts.jsonl plain text').waitFor();
  await press('Leave the validation file out');
  await heading.getByText('1 thing').waitFor();

  // A new adapter has the recipe's modules, and knows nothing yet.
  await page.getByRole('button', { name: /^Remove +Adapter V1$/ }).click();
  await page.getByLabel('No V1: start a new adapter').check();
  await item(page, 'Modules').getByText('target_modules has "qkv_proj"').waitFor();
  await heading.getByText('1 thing').waitFor();
  await press('Set target_modules to q_proj');
  await page.getByText('Done: set target_modules to q_proj. Nothing else is worth a look.').waitFor();
  expect(await focused(page)).toBe('Worth a look');
  await page.getByText(/^Ready to start(?!.*Worth a look)/).waitFor();
  expect(await page.getByRole('textbox', { name: 'Modules' }).inputValue()).toBe('q_proj');

  const text = (answer: string) => ({ text: `### Instruction:\nWhere is it?\n\n### Response:\n${answer}` });
  await give(page, 'train', 'texts.jsonl', jsonl([{ text: 'A text.' }, text('There.')]));
  await item(page, 'No end token').getByText('1 answer of 2 ends without an end token').waitFor();
  await context.close();
});

/** What has the focus, by its text, through shadow roots. */
const focused = (page: Page) =>
  page.evaluate(() => {
    let element = document.activeElement;
    while (element?.shadowRoot?.activeElement) {
      element = element.shadowRoot.activeElement;
    }
    return element?.textContent?.trim();
  });
