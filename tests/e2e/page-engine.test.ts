import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { unzipSync, zipSync } from 'fflate';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nodeFolder } from '../../src/cli/node-files.ts';
import { findBrowser } from '../../src/cli/software-vulkan.ts';
import type { LogEntry } from '../../src/formats/trainer-state.ts';
import { BROWSER_ARGS } from '../support/browser-args.ts';
import { retune } from '../support/cli.ts';
import { makeHubCache } from '../support/hub-cache.ts';
import type { MemoryFiles } from '../support/memory-folder.ts';
import { casePath } from '../support/model-case.ts';
import { accessible } from '../support/page-checks.ts';
import { chooseCase, savedFiles, StaticHost, stubPickers } from '../support/real-page.ts';
import { expectAdapter, expectedRun, expectLog } from '../support/reference-run.ts';
import { fingerprint, inside } from '../support/worker-page.ts';

const CASE = 'batch2';

/** The figures of a benchmark, in machine-readable form. */
interface Report {
  facts: Record<string, unknown>;
  counts_only: boolean;
  notes: string[];
  sections: unknown[];
}

let host: StaticHost;
let browser: Browser;
let work: string;

beforeAll(async () => {
  host = await StaticHost.open('dist/page-engine-test');
  browser = await chromium.launch({ executablePath: findBrowser()!, args: BROWSER_ARGS });
  work = mkdtempSync(join(tmpdir(), 'retune-page-'));
});

afterAll(async () => {
  await browser?.close();
  await host?.close();
  if (work) {
    rmSync(work, { recursive: true });
  }
});

describe('the page over the real engine, on a static host under a path', () => {
  it('reads rows from a table, whose columns can be chosen, and V1 from a zip', async () => {
    const page = await (await browser.newContext()).newPage();
    const problems = problemsOf(page);
    await page.goto(host.url);
    await page.locator('[data-slot=base]').setInputFiles(casePath('chat_messages', 'base'));
    const v1 = join(work, 'v1.zip');
    const names = readdirSync(casePath('chat_messages', 'v1'));
    const files = names.map((name) => [`v1/${name}`, readFileSync(casePath('chat_messages', `v1/${name}`))]);
    writeFileSync(v1, zipSync(Object.fromEntries(files) as Record<string, Uint8Array>));
    // What the card of the base tells moves the next one down.
    await card(page, 'base').getByText('Parameters').waitFor();
    await drop(page, 'source', v1);
    await card(page, 'source').getByText('v1.zip/v1').waitFor();
    const table = join(work, 'rows.csv');
    writeFileSync(table, '\ufeffThema;Question;Answer\r\nt;"Where; ""when""?";Here.\r\nt;Who?;Me.\r\n');
    await drop(page, 'train', table);
    await page.getByText(/columns read as instruction "Question", output "Answer", guessed/).waitFor();
    await page.getByText('Ready to start').waitFor();
    await accessible(page, 'columns');
    if (process.env.RETUNE_SHOTS) {
      await page.setViewportSize({ width: 1280, height: 1000 });
      await page.screenshot({ path: `${process.env.RETUNE_SHOTS}/columns.png`, fullPage: true });
    }
    const columns = card(page, 'train');
    await columns.locator('[name=shape]').selectOption('Prompts and completions (plain text)');
    await page.getByText(/columns read as prompt "Question", completion "Answer"\./).waitFor();
    await columns.locator('[name=prompt]').selectOption('Thema');
    await page.getByText(/columns read as prompt "Thema", completion "Answer"\./).waitFor();
    writeFileSync(table, 'a,b\nq,x\n');
    await drop(page, 'train', table);
    await page.getByText(/^Not usable: rows\.csv: the columns are "a", "b", expected/).waitFor();
    await columns.locator('[name=instruction]').selectOption('a');
    await columns.getByText('Choose a column for each.').waitFor();
    await columns.locator('[name=output]').selectOption('b');
    await page.getByText('Ready to start').waitFor();
    // Unpacked by WebAssembly, which the page's headers must allow.
    await drop(page, 'train', 'tests/fixtures/text/row-files/pairs-polars.parquet');
    await page.getByText(/columns read as instruction "Question", output "Answer", guessed/).waitFor();
    // Import takes the zip of an adapter, which is no run, to its place.
    await card(page, 'source').getByRole('button', { name: 'Remove' }).click();
    await page.getByRole('button', { name: 'Runs' }).click();
    await page.locator('[data-slot=import]').setInputFiles(v1);
    await card(page, 'source').getByText('v1.zip/v1').waitFor();
    expect(problems).toEqual([]);
    await page.context().close();
  });

  it('takes what is dropped, and says in every card what is wrong with it', async () => {
    const page = await browser.newPage();
    const problems = problemsOf(page);
    await page.goto(host.url);
    await drop(page, 'base', casePath(CASE, 'v1'));
    await page.getByText(/^Not usable: v1: config\.json is missing/).waitFor();
    await drop(page, 'base', casePath(CASE, 'base'));
    await page.getByText('Qwen2, 2 layers').waitFor();
    await drop(page, 'source', casePath(CASE, 'train.jsonl'));
    await page
      .getByText(/^Not usable: train\.jsonl: this is not a zip file, .*; choose a zip of an adapter/)
      .waitFor();
    await drop(page, 'source', casePath(CASE, 'base'));
    await page.getByText(/^Not usable: base: adapter_config\.json is missing/).waitFor();
    await drop(page, 'train', casePath(CASE, 'v1'));
    await page.getByText(/v1 is a folder, not one file/).waitFor();
    await drop(page, 'train', casePath(CASE, 'base/config.json'));
    await page.getByText(/^Not usable: config\.json, line 1: /).waitFor();
    await drop(page, 'validation', casePath(CASE, 'training_config.yaml'));
    await page.getByText(/^Not usable: training_config\.yaml, line 1: /).waitFor();
    await drop(page, 'recipe', casePath(CASE, 'train.jsonl'));
    await page.getByText(/^Not usable: train\.jsonl: /).waitFor();
    expect(await page.getByText('Not usable:').count()).toBe(4);
    const start = page.getByRole('button', { name: 'Start training' });
    expect(await start.getAttribute('aria-disabled')).toBe('true');

    const adapters = join(work, 'models');
    for (const name of ['fine_tuned', 'fine_tuned_v2']) {
      cpSync(casePath(CASE, 'v1'), join(adapters, name), { recursive: true });
    }
    const cache = makeHubCache(join(work, 'hub'), casePath(CASE, 'base'));
    const snapshots = join(cache, 'snapshots');
    await drop(page, 'base', join(snapshots, readdirSync(snapshots)[0]!));
    await page
      .getByText(/^Not usable: \w{40}: empty, as far as a browser shows it, which hides links;/)
      .waitFor();
    await drop(page, 'base', join(work, 'hub'));
    await card(page, 'base').getByText('Qwen2, 2 layers').waitFor();
    await card(page, 'base').getByText('hub/models--toy--model').waitFor();
    await drop(page, 'source', adapters);
    await card(page, 'source').getByRole('button', { name: 'fine_tuned_v2' }).click();
    await card(page, 'source').getByText('models/fine_tuned_v2').waitFor();
    await drop(page, 'train', casePath(CASE, 'train.jsonl'));
    await drop(page, 'validation', casePath(CASE, 'val.jsonl'));
    await drop(page, 'recipe', casePath(CASE, 'training_config.yaml'));
    await page.getByText('Ready to start').waitFor();
    expect(problems).toEqual([]);
    await page.close();
  });

  it('measures what its address asks for, with a memory, and says what is wrong with an address', async () => {
    const page = await browser.newPage();
    page.setDefaultTimeout(100_000);
    const problems = problemsOf(page);
    const address = `${host.url}?bench=tiny&section=counts&section=ceilings&section=decoding&memory=4GB`;
    await page.goto(address);
    await page.getByText('Finished: this device computes on the CPU, so speeds are left out.').waitFor();
    const tables = await page.locator('.bench div > pre').allInnerTexts();
    expect(tables.map((text) => text.split('\n')[0])).toEqual([
      'A step of tiny, counted: GFLOP per token',
      expect.stringMatching(/^One token more of answers of tiny .*, counted$/),
      'What the device does at most',
      expect.stringMatching(/^Answers of tiny/),
    ]);
    expect(tables[0]).toContain('Kept for the backward pass: what a run keeps within 3,815 MiB.');
    const report = JSON.parse(await page.locator('.bench > pre').innerText()) as Report;
    expect(report).toMatchObject({ counts_only: true, notes: [], facts: { command: address } });
    expect(report.sections).toHaveLength(tables.length);

    await page.goto(`${host.url}?bench=tiny&memory=4`);
    await page.getByText(/^The page's address: memory is "4", expected an amount of memory in MB/).waitFor();
    await page.goto(`${host.url}?bench=huge`);
    await page.getByText(/^The page's address: model is "huge", expected tiny, 0\.5b/).waitFor();
    expect(problems).toEqual([]);
    await page.close();
  });

  it("trains the reference run from a table, shows PyTorch's losses and exports the bytes of its lines by command", async () => {
    const context = await browser.newContext();
    await stubPickers(context);
    const page = await context.newPage();
    page.setDefaultTimeout(200_000);
    const problems = problemsOf(page);
    await page.goto(host.url);
    await chooseCase(page, CASE);
    // In Hugging Face's cache its files are links, which the browser does not follow.
    const cache = makeHubCache(join(work, 'cache'), casePath(CASE, 'base'));
    await page.locator('[data-slot=base]').setInputFiles(cache);
    await card(page, 'base').getByText('models--toy--model').waitFor();
    await page.locator('[data-slot=train]').setInputFiles(asTable(casePath(CASE, 'train.jsonl')));
    await card(page, 'train').getByText('train.csv').waitFor();
    await page.getByText('Ready to start').waitFor();
    await page.getByRole('button', { name: 'Measure how long it takes' }).click();
    await page.getByText(/^About .* tokens per second\.$/).waitFor();
    await page.getByRole('button', { name: 'Start training' }).click();
    await page.getByRole('heading', { name: 'V2 is ready' }).waitFor();
    expectLosses(await page.getByRole('log').innerText());

    await page.evaluate(async () => {
      await (await navigator.storage.getDirectory()).getDirectoryHandle('output', { create: true });
    });
    const inFolder = await savedFiles(page);
    const download = page.waitForEvent('download');
    await page.getByRole('button', { name: /Download V2/ }).click();
    const zip = join(work, 'v2.zip');
    await (await download).saveAs(zip);
    const zipped = unzipSync(readFileSync(zip));
    expect(zipped).toEqual(inFolder);

    const written = await commandLine();
    const [table, lines] = [trainHash(zipped), trainHash(written)];
    expect(table).not.toBe(lines);
    const ofLines = (files: MemoryFiles): unknown =>
      JSON.parse(JSON.stringify(fingerprint(files)).replaceAll(table, lines));
    const alike = (a: MemoryFiles, b: MemoryFiles) => expect(ofLines(a)).toEqual(ofLines(b));
    alike(zipped, written);
    for (const checkpoint of ['checkpoint-6', 'checkpoint-7']) {
      alike(inside(zipped, checkpoint), inside(written, checkpoint));
    }
    const names = (files: MemoryFiles) =>
      Object.keys(files)
        .map((path) => path.replace(/^logs\/.*/, 'logs/one event file'))
        .toSorted();
    expect(names(zipped)).toEqual(names(written));
    const text = (files: MemoryFiles, name: string) => new TextDecoder().decode(files[name] as Uint8Array);
    const readme = text(zipped, 'README.md').replaceAll('train.csv', 'train.jsonl').replaceAll(table, lines);
    expect(readme).toBe(text(written, 'README.md'));
    expect(text(zipped, 'training_config.yaml')).toBe(text(written, 'training_config.yaml'));

    await page.getByRole('button', { name: 'Runs' }).click();
    await page.locator('[data-slot=import]').setInputFiles(zip);
    await card(page, 'source').getByText('v2.zip').waitFor();
    expect(problems).toEqual([]);
    await context.close();
  });
});

/** Whether the page's log shows what transformers logged. */
function expectLosses(shown: string): void {
  const { log_history: reference } = JSON.parse(
    readFileSync(casePath(CASE, 'expected/expected.json'), 'utf8'),
  ) as { log_history: LogEntry[] };
  const kinds = [
    ['loss', /Step (\d+), epoch [\d.]+: loss ([\d.]+)/g],
    ['eval_loss', /Step (\d+), epoch [\d.]+: eval loss ([\d.]+)/g],
  ] as const;
  for (const [key, pattern] of kinds) {
    const seen = [...shown.matchAll(pattern)].map((match) => [Number(match[1]), Number(match[2])]);
    const expected = reference.filter((entry) => entry[key] !== undefined);
    expect(seen.map(([step]) => step)).toEqual(expected.map(({ step }) => step));
    // Four digits are shown, and the losses agree within 2e-5.
    seen.forEach(([, loss], i) => expect(Math.abs(loss! - expected[i]![key]!)).toBeLessThan(7e-5));
  }
}

/** Rows of text as a table. */
function asTable(lines: string): string {
  const rows = readFileSync(lines, 'utf8').trimEnd().split('\n');
  const cells = rows.map((row) => `"${(JSON.parse(row) as { text: string }).text.replaceAll('"', '""')}"`);
  const file = join(work, 'train.csv');
  writeFileSync(file, ['text', ...cells, ''].join('\r\n'));
  return file;
}

/** The hash of the file of rows that a result was trained from. */
function trainHash(files: MemoryFiles): string {
  const state = new TextDecoder().decode(files['retune_state.json'] as Uint8Array);
  return (JSON.parse(state) as { identity: { train: string } }).identity.train;
}

/** The command line's output for the same run, of rows as JSONL, whose figures are PyTorch's. */
async function commandLine(): Promise<MemoryFiles> {
  const output = join(work, 'v2');
  const command = [
    'finetune',
    ...['--base', casePath(CASE, 'base'), '--source-model', casePath(CASE, 'v1')],
    ...['--train-data', casePath(CASE, 'train.jsonl'), '--val-data', casePath(CASE, 'val.jsonl')],
    ...['--config', casePath(CASE, 'training_config.yaml'), '--output', output],
  ];
  const { code, stderr } = await retune(command);
  expect(code, stderr).toBe(0);
  const state = readFileSync(join(output, 'trainer_state.json'), 'utf8');
  expectLog(expectedRun(CASE), (JSON.parse(state) as { log_history: LogEntry[] }).log_history);
  await expectAdapter(CASE, await nodeFolder(output));
  const again = await retune(command);
  expect(again).toMatchObject({ code: 0, stdout: expect.stringMatching(/finished/) });
  expect(again.stdout).toMatch(/^The adapter is (better|worse) than the source model by \d/m);
  const paths = readdirSync(output, { recursive: true }) as string[];
  const files = paths.filter((path) => statSync(join(output, path)).isFile());
  return Object.fromEntries(files.map((path) => [path, new Uint8Array(readFileSync(join(output, path)))]));
}

function problemsOf(page: Page): string[] {
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
  return problems;
}

const card = (page: Page, slot: string) =>
  page.locator('choice-card').filter({ has: page.locator(`[data-slot=${slot}]`) });

/** Drops a file or folder from the disk on a card, as a user does with the mouse. */
async function drop(page: Page, slot: string, path: string): Promise<void> {
  await card(page, slot).scrollIntoViewIfNeeded();
  const { x, y, width, height } = (await card(page, slot).boundingBox())!;
  const session = await page.context().newCDPSession(page);
  const at = {
    x: x + width / 2,
    y: y + height / 2,
    data: { items: [], files: [resolve(path)], dragOperationsMask: 1 },
  };
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
    await session.send('Input.dispatchDragEvent', { type, ...at });
  }
  await session.detach();
}
