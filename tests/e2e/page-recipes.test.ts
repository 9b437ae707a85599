import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fits } from '../support/page-checks.ts';
import { CASE, chooseFiles, servePage } from './page-server.ts';

let server: Awaited<ReturnType<typeof servePage>>;
beforeAll(async () => {
  server = await servePage('dist/page-recipes-test');
});
afterAll(() => server?.close());

const card = (page: Page) => page.locator('choice-card').filter({ has: page.locator('[data-slot=recipe]') });
/** The lines of the card under their names; a name may have several. */
const linesOf = (page: Page) =>
  card(page)
    .locator('dl div')
    .evaluateAll((lines) =>
      lines.map((line) => ['dt', 'dd'].map((part) => line.querySelector(part)!.textContent.trim())),
    );
const choose = (page: Page, file: Parameters<ReturnType<Page['locator']>['setInputFiles']>[0]) =>
  page.locator('[data-slot=recipe]').setInputFiles(file);
const field = (page: Page, name: string) => page.locator(`[name=${name}]`).inputValue();

/** What each file says about these settings. */
it.concurrent.each([
  [
    'llama-factory.yaml',
    'LLaMA-Factory',
    { num_train_epochs: '3', learning_rate: '0.0001', val_size: '0.1' },
  ],
  ['axolotl.yml', 'axolotl', { per_device_train_batch_size: '2', learning_rate: '0.0002', val_size: '0.05' }],
  ['trl-sft.yaml', 'TRL', {}],
  ['training_args.json', 'TrainingArguments (transformers)', { max_grad_norm: '0.5', eval_steps: '50' }],
])('a recipe of another tool is read as one: %s', async (name, tool, settings) => {
  const page = await server.open();
  await chooseFiles(page);
  await page.locator('[data-slot=validation]').setInputFiles(`${CASE}/val.jsonl`);
  const text = readFileSync(`tests/fixtures/recipes/${name}`, 'utf8');
  await choose(page, `tests/fixtures/recipes/${name}`);
  await card(page).getByText(`a recipe of ${tool}`).waitFor();
  const lines = await linesOf(page);
  const names = lines.map(([line]) => line);
  for (const line of ['From the file', 'Not in the file']) {
    expect(names).toContain(line);
  }
  // However many keys have no effect, they take one line.
  expect(names.filter((line) => line === 'Without effect here').length).toBeLessThanOrEqual(1);
  // Every key of the file is mentioned in some line.
  const told = lines.map(([, value]) => value).join(' ');
  for (const [, key] of text.matchAll(/^(?: {2}")?([a-z]\w*)"?:/gm)) {
    expect(told).toContain(key);
  }
  for (const [key, value] of Object.entries(settings)) {
    expect(Number(await field(page, key)), key).toBe(Number(value));
  }
  await page.setViewportSize({ width: 360, height: 800 });
  await fits(page, name);
  await page.context().close();
});

it.concurrent(
  'a recipe that would train something else is refused by its key, and nothing of it is taken',
  async () => {
    const page = await server.open();
    const before = await field(page, 'learning_rate');
    const buffer = Buffer.from(
      'stage: dpo\nmodel_name_or_path: x\nfinetuning_type: lora\nlearning_rate: 3.0e-4\n',
    );
    await choose(page, { name: 'dpo.yaml', mimeType: '', buffer });
    await card(page)
      .getByText(/^Not usable: dpo\.yaml: stage is "dpo", expected .*; .*\.$/)
      .waitFor();
    expect(await field(page, 'learning_rate')).toBe(before);
    await page.context().close();
  },
);

// expect.poll needs to know its test, and beside others it does not.
it('what was read of another tool is saved as training_config.yaml, which reads the same', async () => {
  const page = await server.open();
  await choose(page, 'tests/fixtures/recipes/llama-factory.yaml');
  await card(page).getByText('a recipe of LLaMA-Factory').waitFor();
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Save as training_config.yaml' }).click(),
  ]);
  const values = ['num_train_epochs', 'learning_rate', 'max_seq_length', 'val_size', 'warmup_ratio', 'optim'];
  const read = async () => Promise.all(values.map((name) => field(page, name)));
  const first = await read();
  await page.getByRole('button', { name: 'Reset to the defaults' }).click();
  await expect.poll(read).not.toEqual(first);
  await choose(page, {
    name: 'training_config.yaml',
    mimeType: '',
    buffer: readFileSync(await download.path()),
  });
  await expect.poll(read).toEqual(first);
  await page.context().close();
});
