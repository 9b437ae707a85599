import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { DEMO_QUESTIONS } from '../../src/app/shared/demo.ts';
import { findBrowser } from '../../src/cli/software-vulkan.ts';
import type { Question } from '../../src/comparison/questions.ts';
import type { BatchTestFile } from '../../src/comparison/results.ts';
import { BROWSER_ARGS } from '../support/browser-args.ts';
import { DemoPage } from '../support/demo-page.ts';
import type { MemoryFiles } from '../support/memory-folder.ts';
import { StaticHost } from '../support/real-page.ts';

const QUESTIONS = JSON.parse(readFileSync('public/demo/questions.json', 'utf8')) as Question[];
const expected = (question: string) => QUESTIONS.find((entry) => entry.question === question)!.answer;

let host: StaticHost;
let browser: Browser;
let work: string;

beforeAll(async () => {
  host = await StaticHost.open('dist/page-demo-test');
  browser = await chromium.launch({ executablePath: findBrowser()!, args: BROWSER_ARGS });
  work = mkdtempSync(join(tmpdir(), 'retune-page-demo-'));
});

afterAll(async () => {
  await browser?.close();
  await host?.close();
  if (work) {
    rmSync(work, { recursive: true });
  }
});

it('the demo in the page: V2 from one click, asked, tested against V1, and continued to V3', async () => {
  const page = await browser.newPage();
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
  const demo = new DemoPage(page, process.env.RETUNE_PICTURES);
  await timed('V2 trained', () => demo.train(host.url));

  const asked = await timed('two questions answered by V1 and V2', () => demo.ask());
  for (const answers of asked) {
    expect(answers.map(({ version, state }) => [version, state])).toEqual([
      ['V1', 'stop-id'],
      ['V2', 'stop-id'],
    ]);
    for (const { text } of answers) {
      expect(text).not.toBe('');
    }
  }
  const [lineTwo, lineOne] = asked;
  expect(lineTwo![0]!.text).not.toBe(expected(DEMO_QUESTIONS[0]!));
  expect(lineTwo![1]!.text).toBe(expected(DEMO_QUESTIONS[0]!));
  for (const { text } of lineOne!) {
    expect(text).toBe(expected(DEMO_QUESTIONS[1]!));
  }
  const v2 = await demo.exportV2();

  const { answered, of } = await timed('the test begun and stopped', () => demo.beginTest());
  expect(of).toBe(2 * QUESTIONS.length);
  expect(answered).toBeGreaterThan(0);
  expect(answered).toBeLessThan(of);
  expect(await timed('the test ended after a reload', () => demo.endTest())).toBe(answered);
  await expectComparison(demo);

  await timed('V3 trained', () => demo.continueToV3());
  expect(await demo.family()).toEqual(['Base', 'V1', 'V2', 'V3']);
  await demo.openV2();
  const later: MemoryFiles = await demo.exportV2();
  expect(Object.keys(later)).toContain('adapter_model.safetensors');
  expect(later).toEqual(v2);
  expect(problems).toEqual([]);
});

/** V2's gain as the page shows it, and the same from the files that it gives. */
async function expectComparison(demo: DemoPage): Promise<void> {
  const shown = await demo.comparison();
  console.log(JSON.stringify(shown));
  expect(shown.title).toBe('V2 is better than V1');
  expect(shown.interval[0]).toBeGreaterThan(0);
  expect(shown.interval[0]).toBeLessThanOrEqual(shown.difference);
  expect(shown.interval[1]).toBeGreaterThanOrEqual(shown.difference);
  const { 'line one': one, 'line two': two, general } = shown.topics;
  expect(one!.v1).toBeGreaterThanOrEqual(0.9);
  expect(one!.v2).toBeGreaterThanOrEqual(0.85);
  expect(two!.v1).toBeLessThanOrEqual(0.1);
  expect(two!.v2).toBeGreaterThanOrEqual(0.9);
  expect(general!.v1).toBeGreaterThanOrEqual(0.9);
  expect(general!.v2).toBeGreaterThanOrEqual(0.9);

  const files = await demo.downloadResults(work);
  for (const path of [files.v1, files.v2]) {
    const { summary } = JSON.parse(readFileSync(path, 'utf8')) as BatchTestFile;
    expect(summary.generation.temperature, 'greedy').toBe(0);
    expect(summary.total_questions).toBe(QUESTIONS.length);
  }
  const csv = readFileSync(files.csv, 'utf8');
  expect(csv.trim().split('\r\n').length).toBe(QUESTIONS.length + 1);

  const printed = execFileSync(
    process.env.RETUNE_PYTHON ?? 'python3',
    ['tests/reference/compare_snippet.py', files.v1, files.v2],
    { encoding: 'utf8' },
  );
  const [sideBySide, totals] = printed.split('\n\n');
  console.log(totals);
  for (const { question } of QUESTIONS) {
    expect(sideBySide).toContain(`] ${question}\n`);
  }
  const counts = Object.entries(shown.topics).map(([topic, { questions, v1, v2 }]) =>
    exactLine(topic, Math.round(v1 * questions), Math.round(v2 * questions), questions),
  );
  counts.push(exactLine('all', shown.exact['V1']!, shown.exact['V2']!, QUESTIONS.length));
  expect(totals!.split('\n').filter((line) => line.startsWith('exact, '))).toEqual(counts);
}

const exactLine = (topic: string, v1: number, v2: number, questions: number) =>
  `exact, ${topic}: V1 ${v1}, V2 ${v2} of ${questions}`;

async function timed<T>(what: string, act: () => Promise<T>): Promise<T> {
  const start = performance.now();
  const result = await act();
  console.log(`${what}: ${Math.round((performance.now() - start) / 1000)} s`);
  return result;
}
