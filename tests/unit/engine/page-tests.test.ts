import { get, type UseStore } from 'idb-keyval';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { Tests } from '../../../src/app/comparison/tests.ts';
import { type AppState, initialState } from '../../../src/app/shared/app-state.ts';
import { Store } from '../../../src/app/shared/store.ts';
import { testsApi } from '../../../src/engine/comparison/api.ts';
import { TestSources } from '../../../src/engine/comparison/inputs.ts';
import { BatchTests } from '../../../src/engine/comparison/tests.ts';
import { Trays } from '../../../src/engine/corrections/trays.ts';
import { baseCategory, leftoverCategory, testCategory } from '../../../src/engine/files/storage-account.ts';
import type { TestEvent, TestInputs, TestRecord } from '../../../src/engine/protocol/comparison.ts';
import type { EngineApi } from '../../../src/engine/protocol/protocol.ts';
import { keepArchive, readArchive } from '../../../src/engine/runs/read-archive.ts';
import { archiveRun } from '../../../src/engine/runs/run-archive.ts';
import { GREEDY } from '../../../src/generate/sampling.ts';
import { filmLines } from '../../../src/run/samples/film.ts';
import { keysUnder } from '../../../src/storage/database.ts';
import { bytesOfValue, storedBytes, sumOf, totalStoredBytes } from '../../../src/storage/stored-bytes.ts';
import { TestRecords } from '../../../src/storage/test-records.ts';
import { TrayRecords } from '../../../src/storage/tray-records.ts';
import { DEFAULT_DEVICE } from '../../support/device-settings.ts';
import { BrowserProfile, chosenInputs, openPage } from '../../support/fault-page.ts';

const textOf = async (store: UseStore, key: string) => (await get<Blob>(key, store))!.text();

/** A page of `profile` with what tests of it need. */
function openTests(profile: BrowserProfile) {
  const page = openPage(profile);
  const records = new TestRecords(page.store);
  const sources = new TestSources(page.runs, page.files, page.kept);
  const trays = new Trays(page.runs, new TrayRecords(page.store), page.files);
  const tests = new BatchTests(records, page.runs, sources, trays);
  return { ...page, tests, testRecords: records, api: testsApi(tests, async () => undefined) };
}

const inputs = chosenInputs((name) => `tests/fixtures/cases/recipe_text/${name}`);
const { recipe } = inputs;
const PROMPTS = ['How many wheels?', 'Why?'];
const training = { ...recipe.training, maxSteps: 1, samplePrompts: PROMPTS, sampleTokens: 2 };
const short = { ...inputs, recipe: { ...recipe, training } };
const questions = { file: new File(['{"question": "q"}\n{"question": "r"}\n'], 'questions.jsonl') };
const testInputs: TestInputs = {
  name: 'Test',
  base: inputs.base,
  questions,
  validation: undefined,
  versions: [{ name: 'base', version: { kind: 'base' } }],
  options: { form: 'text', sampling: GREEDY, maxNewTokens: 2, seed: 0 },
  recipe: inputs.recipe,
};

let profile: BrowserProfile;
let run: string;
beforeAll(async () => {
  profile = new BrowserProfile();
  const { id, status } = await openPage(profile).runs.start(short, DEFAULT_DEVICE, () => undefined);
  expect(status).toBe('finished');
  run = id;
});
afterAll(() => vi.unstubAllGlobals());

it('sample prompts and their answers are stored twice, counted, exported, imported and deleted with their run', async () => {
  const { runs, records, store } = openPage(profile);
  const { samples } = (await records.get(run))!;
  expect(samples!.prompts).toEqual(PROMPTS);
  expect(samples!.answers.map(({ step, prompt }) => [step, prompt])).toEqual([
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 1],
  ]);
  const lines = await textOf(store, `run/${run}/logs/sample_answers.jsonl`);
  expect(lines).toBe(filmLines(samples!));
  expect(await profile.contents(1)).toEqual(await profile.contents());

  const parts = (await storedBytes(store)).runs.get(run)!;
  const all = await storedBytes(store);
  const counted = [...all.runs.values(), ...all.tests.values()].reduce((sum, one) => sum + sumOf(one), 0);
  expect(all.unknown.size).toBe(0);
  expect(counted + all.device).toBe(await totalStoredBytes(store));
  const record = (await records.get(run))!;
  const withoutSamples = bytesOfValue({ ...record, samples: undefined });
  expect(parts.get('record')! - `record/${run}`.length - withoutSamples).toBe(
    bytesOfValue({ samples }) - '{}'.length + ','.length,
  );
  expect(parts.get('logs')).toBeGreaterThan(lines.length);

  const zip = new File([await archiveRun(runs, run)], 'run.zip');
  const other = openPage(new BrowserProfile());
  const { id } = await keepArchive(other.records, await readArchive(other.records, zip));
  expect((await other.records.get(id))!.samples).toEqual(samples);
  expect(await textOf(other.store, `run/${id}/logs/sample_answers.jsonl`)).toBe(lines);
  await other.runs.delete(id);
  expect((await keysUnder(other.store, '')).filter((key) => key.includes(id))).toEqual([]);
});

/** A test of a base folder that the user chose, stopped while it loads that. */
async function stoppedTest(): Promise<string> {
  const { tests } = openTests(profile);
  const hear = (event: TestEvent) =>
    event.type === 'phase' && event.phase === 'loading the base' && tests.stop();
  const { id, status } = await tests.start(testInputs, hear);
  expect(status).toBe('stopped');
  return id;
}

it('a test goes on with its base in the cache, whose hash it keeps; one of an earlier version without it asks', async () => {
  const id = await stoppedTest();
  // Nothing of the choice outlives the page.
  const { api, tests, testRecords, records } = openTests(profile);
  const test = (await testRecords.get(id))!;
  expect(test.baseHash).toBe((await records.get(run))!.identity.base);
  expect(await api.test(id)).toMatchObject({ value: { record: { baseKept: true } } });
  await testRecords.put({ ...test, baseHash: '0'.repeat(64) });
  await expect(openTests(profile).tests.resume(id, { base: inputs.base }, () => undefined)).rejects.toThrow(
    'base: this is not the base that the test began with, though it has its name',
  );
  await testRecords.put(test);
  expect((await tests.resume(id, undefined, () => undefined)).status).toBe('finished');
  expect((await api.tests())[0]).toMatchObject({ id, status: 'finished', versions: [{ answered: 2 }] });

  await testRecords.put({ ...test, baseHash: undefined });
  expect((await api.tests())[0]).toMatchObject({ baseKept: false });
  await expect(tests.resume(id, undefined, () => undefined)).rejects.toThrow(
    'base: this browser no longer has the base of this test; choose it again.',
  );
});

it('what one tab tests no other deletes, renames or takes for a leftover, nor the base that it reads', async () => {
  const there = openTests(profile);
  const here = openTests(profile);
  const refused: string[] = [];
  const ask = async (id: string) => {
    // Whoever waits for the test to end has waited long enough.
    vi.spyOn(AbortSignal, 'timeout').mockReturnValue(
      AbortSignal.abort(new DOMException('late', 'TimeoutError')),
    );
    const stored = () => storedBytes(there.store);
    const bases = { leftovers: async () => 0, removeLeftovers: async () => undefined };
    const leftover = leftoverCategory(there.store, bases, there.runs, stored);
    const [base] = await there.cache.list();
    for (const work of [
      there.tests.delete(id),
      there.tests.rename(id, 'Other'),
      baseCategory(there.cache, there.runs).delete(base!.id),
      leftover.delete('all'),
    ]) {
      refused.push(await work.then(String, (error: Error) => error.message));
    }
    const tests = await testCategory(there.tests, there.testRecords, there.runs, stored).list();
    expect(tests.find(({ key }) => key === `test/${id}`)!.deletable).toBe(false);
    vi.restoreAllMocks();
    here.tests.stop();
  };
  let asked: Promise<void> | undefined;
  const hear = (event: TestEvent) => {
    if (event.type === 'created') {
      asked = ask(event.record.id);
      // Caught here: the test is held until all is asked.
      asked.catch(() => undefined);
    }
  };
  vi.spyOn(here.testRecords, 'questions').mockImplementationOnce(async (id) => {
    await asked;
    return here.testRecords.questions(id);
  });
  expect((await here.tests.start(testInputs, hear)).status).toBe('stopped');
  await asked;
  const elsewhere = 'Another tab of this browser is testing Test; wait for it, or stop it there first.';
  expect(refused).toEqual([
    'Test: this test is running; stop that, then delete it.',
    'Test: this test is running; stop that, then rename it.',
    elsewhere,
    elsewhere,
  ]);
});

it('corrections that two tabs put into a tray at once are all kept', async () => {
  const [here, there] = [openPage(profile), openPage(profile)].map(
    ({ runs, files, store }) => new Trays(runs, new TrayRecords(store), files),
  ) as [Trays, Trays];
  const of = (question: string) => ({ question, was: 'a', answer: 'b', version: 'V2', changed: 1 });
  await Promise.all([here.put(run, [of('here')], []), there.put(run, [of('there')], [])]);
  await there.put(run, [of('there'), of('more')], [of('there')]);
  const questions = (await here.tray(run)).map(({ question }) => question);
  expect(questions.toSorted()).toEqual(['here', 'more', 'there']);
  const many = Array.from({ length: 10_001 }, (_, i) => of(`${i}`));
  await expect(here.put(run, many, [])).rejects.toThrow('The tray has 10004 corrections, expected at most');
  expect(await here.tray(run)).toHaveLength(3);
});

it('a test outlives its run, and still says which questions that was trained on', async () => {
  const { api, tests, testRecords, runs, store, records } = openTests(profile);
  const corrected = [{ question: 'q', was: 'a', answer: 'b', version: 'V1', changed: 1 }];
  await new TrayRecords(store).putCorrected(run, corrected);
  const versions = [{ name: 'V2', version: { kind: 'result', run } as const }];
  const hear = (event: TestEvent) => event.type === 'phase' && tests.stop();
  const { id } = await tests.start({ ...testInputs, versions }, hear);
  const trained = [{ answer: 'b', approved: false, versions: [0] }, undefined];
  expect(await api.test(id)).toMatchObject({ value: { trained } });
  expect((await storedBytes(store)).tests.get(id)!.get('corrections')).toBeGreaterThan(0);
  await runs.delete(run);
  expect(await records.get(run)).toBeUndefined();
  expect((await keysUnder(store, '')).filter((key) => key.includes(run))).toEqual([]);
  expect(await api.test(id)).toMatchObject({ value: { trained, record: { id } } });
  await tests.delete(id);
  expect((await keysUnder(store, '')).filter((key) => key.includes(id))).toEqual([]);
  expect(await testRecords.get(id)).toBeUndefined();
});

it.each([
  ['asks for no base that the browser keeps', true, ['validation']],
  ['asks for one that it does not keep', false, ['base', 'validation']],
])('the page %s, nor for an adapter that has answered', async (_, baseKept, asked) => {
  const names: string[] = [];
  const handle = (name: string) => ({
    name,
    queryPermission: async () => {
      names.push(name);
      return 'granted';
    },
  });
  const version = { name: 'V1', kind: 'folder', state: 'finished', answered: 2 };
  const record = {
    ...{ id: 'a', name: 'Test', status: 'unfinished', base: 'base', baseKept, validationFile: 'val.jsonl' },
    versions: [
      { ...version, evalLoss: { loss: 1 } },
      { ...version, kind: 'base', state: 'waiting' },
    ],
    handles: { base: handle('base'), validation: handle('validation'), folders: { 0: handle('v1') } },
  } as unknown as TestRecord;
  const engine = {
    resumeTest: async () => ({ ok: false, sentence: 'Enough.' }),
    tests: async () => [record],
    test: async () => ({ ok: false, sentence: 'Enough.' }),
  } as unknown as EngineApi;
  const tests = new Tests(engine, new Store<AppState>(initialState), {} as never);
  await tests.resume(record);
  expect(names).toEqual(asked);
});
