import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { StoredConversation } from '../../src/engine/protocol/chat.ts';
import { slowDevice } from '../support/disturbed-run.ts';
import { casePath } from '../support/model-case.ts';
import { choose, ended, exported, fingerprint, value, WorkerPages } from '../support/worker-page.ts';

// On a device that computes next to nothing: here it matters what is kept, and how it is named.

const NAME = 'batch2';
const SAMPLING = { temperature: 0, topP: 1, maxNewTokens: 1, seed: 1, stop: [] };
const QUESTIONS = readFileSync(casePath(NAME, 'questions.json'), 'utf8');

let pages: WorkerPages;
let page: Page;
let run: string;

beforeAll(async () => {
  pages = await WorkerPages.open('dist/kept-runs-test', { device: 'null' });
  page = await pages.page(await pages.context(), NAME);
  await page.evaluate(() => window.bench.start());
  run = (await ended(page)).id;
  // A test of it, which takes space too.
  await page.evaluate(
    async ([run, questions]) => {
      const { base } = await window.bench.inputs();
      await window.bench.test({
        name: 'a test',
        base,
        questions: { file: new File([questions], 'questions.json') },
        validation: undefined,
        versions: [{ name: 'V2', version: { kind: 'result', run } }],
        options: {
          form: undefined,
          sampling: { temperature: 0, topP: 1, topK: 0, repetitionPenalty: 1 },
          maxNewTokens: 1,
          seed: 1,
        },
      });
    },
    [run, QUESTIONS] as const,
  );
  // The runs that follow are stopped on the way.
  slowDevice(page);
  await page.reload();
  await choose(page, NAME);
});

afterAll(() => pages.close());

it('V3 begins with the V2 that this browser keeps, and the family tree says so', async () => {
  const begun = await page.evaluate(async (run) => {
    const { bench } = window;
    const from = await bench.engine.continueFrom(run);
    if (!from.ok) {
      throw new Error(from.sentence);
    }
    await bench.engine.renameRun(run, 'my V2');
    const inputs = await bench.inputs();
    bench.start(Promise.resolve({ ...inputs, source: from.value.source }));
    await bench.reached(1);
    const busy = await bench.test({
      name: 'x',
      base: inputs.base,
      questions: { file: new File(['{"question":"?"}'], 'q.json') },
      validation: undefined,
      versions: [{ name: 'base', version: { kind: 'base' } }],
      options: {
        form: 'text',
        sampling: { temperature: 0, topP: 1, topK: 0, repetitionPenalty: 1 },
        maxNewTokens: 1,
        seed: 1,
      },
    });
    await bench.engine.stop();
    const ended = await bench.running!;
    return { from: from.value, busy: busy.outcome, ended };
  }, run);
  expect(begun.from.source).toEqual({ name: 'v1 + train.jsonl', files: [], run });
  expect(begun.busy).toEqual({
    ok: false,
    sentence: 'This tab is training my V2 + train.jsonl already; wait for it, or stop it first.',
  });
  const third = value(begun.ended).id;
  const notes = await page.evaluate(() => window.bench.engine.runNotes());
  const of = (id: string) => notes.find((run) => run.id === id)!;
  expect(of(third).hashes).toMatchObject({
    source: of(run).hashes.result,
    base: of(run).hashes.base,
    result: undefined,
  });
  expect(of(run)).toMatchObject({ name: 'my V2', imported: false });
  const family = await page.evaluate(() => window.bench.engine.family());
  expect(family.map(({ kind, name, generation, run }) => [kind, name, generation, run])).toEqual([
    ['base', 'base', 0, undefined],
    ['adapter', 'v1', 1, undefined],
    ['run', 'my V2', 2, run],
    ['run', 'my V2 + train.jsonl', 3, third],
  ]);
  expect(family[3]!.parent).toBe(family[2]!.key);
  // It resumes with the same source, which the browser still has.
  const resumed = await page.evaluate(async (id) => {
    window.bench.events.length = 0;
    window.bench.resume(id);
    await window.bench.reached(2);
    await window.bench.engine.stop();
    return window.bench.running!;
  }, third);
  expect(resumed).toMatchObject({ ok: true });
});

it('two tabs that go on with one conversation at once lose nothing', async () => {
  const other = await pages.emptyPage(page.context());
  const keep = (tab: Page, after: StoredConversation, before?: StoredConversation) =>
    tab.evaluate(([run, after, before]) => window.bench.engine.keepConversation(run, after, before), [
      run,
      after,
      before,
    ] as const);
  const asked = (...questions: string[]): StoredConversation => ({
    ...{ id: '01234567-89ab-4cde-8f01-23456789abcd', created: 1, system: '', shuffle: 1 },
    turns: questions.map((question) => ({
      ...{ question, sampling: SAMPLING, blind: false },
      answers: [{ version: 'v2', text: question, ended: 'stop id' }],
    })),
  });
  value(await keep(page, asked('1'), undefined));
  await Promise.all([keep(page, asked('1', '2'), asked('1')), keep(other, asked('1', '3'), asked('1'))]);
  await other.close();
  const { conversations } = value(await page.evaluate((run) => window.bench.engine.openChat(run), run));
  expect(conversations.map(({ turns }) => turns.map(({ question }) => question)).toSorted()).toEqual([
    ['1', '2'],
    ['1', '3'],
  ]);
  for (const { id } of conversations) {
    await page.evaluate(([run, id]) => window.bench.engine.deleteConversation(run, id), [run, id] as const);
  }
});

it('a run goes out as a zip and comes back the same; storage tells what takes how much', async () => {
  const before = await exported(page, run);
  const account = await page.evaluate(() => window.bench.engine.storage());
  const own = account.items.find(({ key }) => key === `run/${run}`)!;
  expect(own).toMatchObject({ kind: 'run', name: 'my V2', deletable: true });
  expect(own.parts.map(({ name }) => name).toSorted()).toEqual([
    'checkpoint 6',
    'checkpoint 7',
    'copies of its inputs',
    'logs',
    'record',
    'result',
  ]);
  expect(own.bytes).toBe(own.parts.reduce((sum, { bytes }) => sum + bytes, 0));
  const told = await page.evaluate(async (id) => {
    const { engine } = window.bench;
    await engine.annotateRun(id, 'the good one');
    const gone = await engine.takeStep(id, 99);
    await engine.takeStep(id, 6);
    const from = await engine.continueFrom(id, 6);
    const archive = await engine.archiveRun(id);
    if (!archive.ok) {
      throw new Error(archive.sentence);
    }
    const zip = new File([archive.value], 'v2.zip');
    const again = await engine.importRun(zip);
    await engine.deleteStored(`run/${id}`);
    const without = (await engine.runs()).map((run) => run.id);
    // One byte of the result's weights differs: they come in the archive after the checkpoints.
    const bytes = new Uint8Array(await zip.arrayBuffer());
    const name = new TextEncoder().encode('result/adapter_model.safetensors');
    const at = bytes.findIndex((_, i) => name.every((byte, k) => bytes[i + k] === byte));
    bytes[at + name.length + 5000]! ^= 1;
    const damaged = await engine.importRun(new File([bytes], 'v2.zip'));
    const back = await engine.importRun(zip);
    const { taken } = (await engine.runs()).find((run) => run.id === id)!;
    return {
      again,
      without,
      damaged,
      back,
      gone,
      from,
      taken,
      notes: (await engine.runNotes()).find((run) => run.id === id)!,
    };
  }, run);
  expect(told.gone).toEqual({
    ok: false,
    sentence: expect.stringContaining('step 99: this checkpoint is no longer'),
  });
  expect(value(told.from).source).toEqual({ name: 'my V2, step 6', files: [], run, step: 6 });
  expect(told.taken).toEqual({ step: 6, hash: expect.stringMatching(/^[0-9a-f]{64}$/) });
  expect(told.again).toEqual({
    ok: false,
    sentence: 'v2.zip: this run is in the browser already, as my V2; delete that one first.',
  });
  expect(told.without).not.toContain(run);
  expect(told.damaged).toEqual({
    ok: false,
    sentence:
      'v2.zip: result/adapter_model.safetensors in it is damaged; choose a zip that Retune has exported, or export it again.',
  });
  expect(told.back).toEqual({ ok: true, value: { id: run, name: 'my V2' } });
  expect(told.notes).toMatchObject({ name: 'my V2', note: 'the good one', imported: true });
  expect(fingerprint(await exported(page, run))).toEqual(fingerprint(before));
  expect(pages.problems).toEqual([]);
});

it('the lines of the storage add up, and what is deleted is gone from both copies', async () => {
  await page.evaluate(oneOfEverything, run);
  const { account, first, second } = await page.evaluate(kept);
  expect(account.items.map(({ kind }) => kind).toSorted()).toEqual([
    ...['base cache', 'choices', 'device', 'leftover', 'run', 'run', 'second copy', 'test'],
  ]);
  const sum = account.items.reduce((bytes, item) => bytes + item.bytes, 0);
  expect(account.used).toBe(sum + account.overhead!);
  const own = account.items.find(({ key }) => key === `run/${run}`)!;
  expect(own.parts.map(({ name }) => name)).toEqual(expect.arrayContaining(['conversations', 'corrections']));
  const notes = await page.evaluate(() => window.bench.engine.runNotes());
  expect(notes.find(({ id }) => id === run)!.bytes).toBe(own.bytes);
  // All that is in the database is on a line, and the second copy is as large.
  const inDatabase = account.items.filter(({ kind }) => /run|test|device/.test(kind));
  const unfinished = 1000;
  const leftover = account.items.find(({ kind }) => kind === 'leftover')!.bytes - unfinished;
  const copy = account.items.find(({ kind }) => kind === 'second copy')!;
  expect(inDatabase.reduce((bytes, item) => bytes + item.bytes, leftover)).toBe(copy.bytes);
  expect(second).toEqual(first);

  const others = first.filter((key) => !key.includes(run));
  await page.evaluate((id) => window.bench.engine.deleteStored(`run/${id}`), run);
  const without = await page.evaluate(kept);
  expect(without.first).toEqual(others);
  expect(without.second).toEqual(others);
  const buttons = account.items.filter(({ kind, deletable }) => deletable && !/run|test/.test(kind));
  for (const { key, kind } of buttons) {
    value(await page.evaluate((key) => window.bench.engine.deleteStored(key), key));
    const { items } = (await page.evaluate(kept)).account;
    // What tabs tell one another is a line of the device.
    expect(items.some((item) => item.kind === kind)).toBe(kind === 'device');
  }
  const [test] = await page.evaluate(() => window.bench.engine.tests());
  await page.evaluate((id) => window.bench.engine.deleteTest(id), test!.id);
  expect((await page.evaluate(kept)).first.filter((key) => key.startsWith('test'))).toEqual([]);
  expect(value(await page.evaluate(() => window.bench.engine.deleteAllStored()))).toBeUndefined();
  const nothing = await page.evaluate(kept);
  expect(nothing).toMatchObject({ first: ['active', 'transaction'], second: [], bases: [], choices: [] });
  expect(nothing.account.items.map(({ kind }) => kind)).toEqual(['device']);
  // The next run has a second copy again.
  await page.evaluate(oneOfEverything, run);
  const again = await page.evaluate(kept);
  expect(again.second).toEqual(again.first);
  expect(again.second).toContain('run/gone/chats/a.json');
  expect(pages.problems).toEqual([]);
});

/** Something of every kind beside run and test, where these are there. */
async function oneOfEverything(run: string): Promise<void> {
  const { engine, storage } = window.bench;
  const turn = { question: '?', sampling: { temperature: 0, topP: 1, maxNewTokens: 1, seed: 1, stop: [] } };
  const id = '01234567-89ab-4cde-8f01-23456789abcd';
  const turns = [{ ...turn, blind: false, answers: [] }];
  await engine.keepConversation(run, { id, created: 1, system: '', shuffle: 1, turns }, undefined);
  await engine.putTray(run, [{ question: '?', was: 'a', answer: 'b', version: 'V2', changed: 1 }], []);
  await engine.annotateRun(run, 'a note');
  for (const test of await engine.tests()) {
    await engine.vote(test.id, 0, 'same');
  }
  const gone = [['run/gone/chats/a.json', new Blob(['{}'])]] as const;
  await storage.replace(storage.openMirroredStore(), [], gone);
  const choices = storage.openDatabase('retune-choices', { objects: 'kept' });
  await storage.replace(choices, [], [['choices', { rows: new File(['12345'], 'rows.jsonl') }]]);
  const bases = await (await navigator.storage.getDirectory()).getDirectoryHandle('bases', { create: true });
  const half = await bases.getDirectoryHandle('half', { create: true });
  const file = await (await half.getFileHandle('image', { create: true })).createWritable();
  await file.write(new Uint8Array(1000));
  await file.close();
}

/** The keys of both copies and of the choices, the names of the bases, and what the account says. */
async function kept() {
  const { engine, storage } = window.bench;
  const account = await engine.storage();
  const keysOf = async (store: ReturnType<typeof storage.openDatabase>) =>
    (await storage.entriesUnder(store, '')).map(([key]) => key);
  const { storageBuckets } = navigator as unknown as { storageBuckets: { keys(): Promise<string[]> } };
  const copied = (await storageBuckets.keys()).length > 0;
  const copy = copied ? await storage.bucketHome('retune').open() : undefined;
  const bases = await (await navigator.storage.getDirectory()).getDirectoryHandle('bases', { create: true });
  const names: string[] = [];
  for await (const name of (bases as unknown as { keys(): AsyncIterable<string> }).keys()) {
    names.push(name);
  }
  return {
    account,
    first: await keysOf(storage.openDatabase('retune')),
    second: copy ? await keysOf(copy) : [],
    choices: await keysOf(storage.openDatabase('retune-choices', { objects: 'kept' })),
    bases: names,
  };
}
