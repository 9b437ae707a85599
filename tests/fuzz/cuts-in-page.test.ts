import { afterAll, beforeAll, expect, it } from 'vitest';
import { WorkerPages } from '../support/worker-page.ts';
import { spreadCuts } from './entry-cuts.ts';
import { fixtures } from './fixtures.ts';
import { type Files, INPUT, textOf } from './format.ts';

let pages: WorkerPages;
beforeAll(async () => {
  pages = await WorkerPages.open('dist/fuzz-page');
});
afterAll(() => pages.close());

const FORMATS = ['config', 'index.json', 'tokenizer', 'adapter_config', 'recipe', 'rows', 'questions', 'zip'];

/** One question to the engine in the page; files travel as base64. */
interface Case {
  call: 'base' | 'adapter' | 'recipe' | 'rows' | 'questions' | 'zip';
  base: Record<string, string>;
  files: Record<string, string>;
}

const base64 = (files: Readonly<Record<string, Uint8Array | string>>) =>
  Object.fromEntries(
    Object.entries(files).map(([name, bytes]) => [name, Buffer.from(bytes as Uint8Array).toString('base64')]),
  );

function caseOf(format: string, files: Files): Case {
  const call = { base: {}, files: base64(files) };
  const batch2 = fixtures('cases/batch2/base');
  switch (format) {
    case 'config':
    case 'index.json':
      return { ...call, call: 'base' };
    case 'tokenizer':
      return { ...call, call: 'base', files: base64({ ...batch2, ...files }) };
    case 'adapter_config':
      return { ...call, call: 'adapter', base: base64(fixtures(`cases/${textOf(files['case']!)}/base`)) };
    case 'rows':
      return {
        call: 'rows',
        base: base64(fixtures(`cases/${textOf(files['case']!)}/base`)),
        files: base64({ 'train.jsonl': files['train.jsonl']! }),
      };
    default:
      return { ...call, call: format as 'recipe' };
  }
}

/** The engine's answers; evaluated in the page. */
async function ask(cases: readonly Case[]): Promise<string[]> {
  const { engine } = window.bench;
  const filesOf = (files: Record<string, string>) =>
    Object.entries(files).map(
      ([name, text]) => new File([Uint8Array.from(atob(text), (char) => char.charCodeAt(0))], name),
    );
  const sentences: string[] = [];
  for (const { call, base: baseFiles, files: ownFiles } of cases) {
    const [base, files] = [filesOf(baseFiles), filesOf(ownFiles)];
    const [file] = files as [File];
    const own = { name: 'fuzzed', files };
    const asked = {
      base: () => engine.inspectBase(own),
      adapter: () => engine.inspectAdapter({ name: 'base', files: base }, own),
      recipe: () => engine.parseRecipe(file),
      rows: () =>
        engine.inspectRows({ name: 'base', files: base }, { file }, { maxLength: 64, use: 'train' }),
      questions: () => engine.inspectQuestions({ file }),
      zip: () => engine.importRun(file),
    };
    const answer = await asked[call]();
    sentences.push(answer.ok ? 'accepted' : answer.sentence);
  }
  return sentences;
}

it('cut inputs are refused by the page with the same message', { timeout: 120_000 }, async () => {
  const cuts = (await spreadCuts(FORMATS, 4)).filter(({ refusal }) => refusal !== undefined);
  const page = await pages.emptyPage(await pages.context());
  const found = await page.evaluate(
    ask,
    cuts.map(({ format, files }) => caseOf(format, files)),
  );
  // In the page a single file has no folder in its name.
  const bare = (sentence: string) => sentence.replace(`${INPUT}/`, '').replace('fuzzed.zip', INPUT);
  expect(found.map((sentence, i) => [cuts[i]!.format, bare(sentence)])).toEqual(
    cuts.map(({ format, refusal }) => [format, bare(refusal!)]),
  );
  expect(cuts.length).toBeGreaterThanOrEqual(30);
  expect(pages.problems).toEqual([]);
});
