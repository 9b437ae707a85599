// The worker's API alone, without the page: what tests/e2e/page-engine.test.ts shows through the page.

import { readFileSync } from 'node:fs';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { LogEntry } from '../../src/formats/trainer-state.ts';
import type { MemoryFiles } from '../support/memory-folder.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { casePath, type Expected } from '../support/model-case.ts';
import { caseInputs, run } from '../support/run-case.ts';
import { ended, exported, fingerprint, inside, WorkerPages } from '../support/worker-page.ts';

const NAME = 'batch2';
const LOSS = 2e-5;

const expected = JSON.parse(readFileSync(casePath(NAME, 'expected/expected.json'), 'utf8')) as Expected & {
  log_history: LogEntry[];
};

let pages: WorkerPages;
let context: BrowserContext;
let page: Page;

beforeAll(async () => {
  pages = await WorkerPages.open('dist/worker-reference-test');
  context = await pages.context();
  page = await pages.page(context, NAME);
});

afterAll(() => pages.close());

let id: string;
let whole: MemoryFiles;

it('trains to the end, pausing on the way, and logs what PyTorch logs', async () => {
  const stepsWhilePaused = await page.evaluate(async () => {
    const { bench } = window;
    bench.start();
    await bench.reached(2);
    await bench.engine.pause();
    // A checkpoint can be requested while the run pauses; once it is there, the pause is in effect.
    await bench.engine.checkpointNow();
    while (!bench.events.some(({ type }) => type === 'checkpoint')) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const count = () => bench.events.filter(({ type }) => type === 'step').length;
    const before = count();
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const during = count() - before;
    await bench.engine.unpause();
    return during;
  });
  expect(stepsWhilePaused).toBe(0);
  const outcome = await ended(page);
  expect(outcome).toMatchObject({ status: 'finished', step: 7, maxSteps: 7 });
  id = outcome.id;
  const [record] = await page.evaluate(() => window.bench.engine.runs());
  expect(record).toMatchObject({
    id,
    name: 'v1 + train.jsonl',
    status: 'finished',
    step: 7,
    maxSteps: 7,
    inputs: { base: 'base', source: 'v1', train: 'train.jsonl', validation: 'val.jsonl' },
  });
  expect(record!.checkpoints.map(({ step }) => step)).toEqual([6, 7]);
  const { log_history: reference } = expected;
  const lastLoss = reference.findLast((entry) => entry.loss !== undefined)!.loss!;
  expect(Math.abs(record!.checkpoints[1]!.loss! - lastLoss)).toBeLessThan(LOSS);
  expect(record!.log.map(({ step, epoch }) => [step, epoch])).toEqual(
    reference.map(({ step, epoch }) => [step, epoch]),
  );
  record!.log.forEach((entry, i) => {
    for (const key of ['loss', 'eval_loss', 'train_loss']) {
      if (entry[key] !== undefined) {
        expect(Math.abs(entry[key] - reference[i]![key]!)).toBeLessThan(LOSS);
      }
    }
  });
});

it('exports the bytes that Node writes on the same device, as a zip and into a folder', async () => {
  whole = await exported(page, id);
  const store = new MemoryStore();
  await run({ inputs: await caseInputs(NAME), store });
  // Two builds of Dawn, one in the browser and one in the webgpu package, agree to the bit.
  expect(fingerprint(whole)).toEqual(fingerprint(store.result));
  expect(fingerprint(inside(whole, 'checkpoint-6'))).toEqual(fingerprint(store.saved.get(6)!));
  expect(Object.keys(whole)).toContain('README.md');
  expect(Object.keys(inside(whole, 'logs'))).toHaveLength(1);
  const inFolder = await page.evaluate(async (id) => {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('out', { create: true });
    const answer = await window.bench.engine.exportRunInto(id, true, folder);
    const checkpoint = await folder.getDirectoryHandle('checkpoint-7');
    const file = await (await checkpoint.getFileHandle('optimizer.safetensors')).getFile();
    const names: string[] = [];
    for await (const name of folder.keys()) {
      names.push(name);
    }
    return { answer, names, base64: await window.bench.base64(file) };
  }, id);
  expect(inFolder.answer.ok).toBe(true);
  const top = Object.keys(whole).map((path) => path.split('/')[0]!);
  expect(inFolder.names.toSorted()).toEqual([...new Set(top)].toSorted());
  const optimizer = Buffer.from(whole['checkpoint-7/optimizer.safetensors']!).toString('base64');
  expect(inFolder.base64).toBe(optimizer);
});

it('answers as base, V1 and V2 with the words of PyTorch', async () => {
  const question = /^### Instruction:\n(.*)\n\n### Response:\n$/s.exec(expected.prompt)![1]!;
  for (const version of ['base', 'v1', 'v2'] as const) {
    const said = await page.evaluate(([id, version, question]) => window.bench.chat(id, version, question), [
      id,
      version,
      question,
    ] as const);
    expect(said.whole).toBe(expected[`${version}_text`].trim());
    expect(said.streamed.trim()).toBe(said.whole);
  }
});

it('saw no errors on the way', () => expect(pages.problems).toEqual([]));
