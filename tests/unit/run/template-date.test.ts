import { describe, expect, it } from 'vitest';
import { askModel, type AskModelOptions } from '../../../src/comparison/ask-model.ts';
import { askVersions } from '../../../src/comparison/ask-versions.ts';
import { encodeQuestions } from '../../../src/comparison/batch-test.ts';
import type { VersionsEvent } from '../../../src/comparison/versions.ts';
import { defaultRecipe } from '../../../src/formats/recipe.ts';
import { GREEDY } from '../../../src/generate/sampling.ts';
import type { InputHashes } from '../../../src/run/checkpoint/identity.ts';
import type { RunEvent } from '../../../src/run/events.ts';
import { finetune } from '../../../src/run/finetune.ts';
import { prepare } from '../../../src/run/input/prepare.ts';
import { loadTokenizer } from '../../../src/text/load-tokenizer.ts';
import { datedBase, datedInputs } from '../../support/dated-base.ts';
import { fixtureFiles, memoryFolder } from '../../support/memory-folder.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { caseInputs } from '../../support/run-case.ts';

const EVENING = '2026-03-07T23:59:58';
const MORNING = '2026-03-08T00:00:03';

/** What a checkpoint stores beside its files, of a run with this date. */
const cursor = (moment: unknown, step = 1, identity: object = {}): string =>
  JSON.stringify({ step, identity, plan: { moment }, logWindow: {}, files: {}, prompt: 'chat' });

const held = (moment: unknown, step = 1): MemoryStore => {
  const store = new MemoryStore();
  store.saved.set(step, { 'retune_state.json': cursor(moment, step) });
  return store;
};

class Known extends Error {}

type Start = { moment?: string; resume?: 'exact' | 'never' };

/** The hashes of a start's inputs. */
async function hashesOf(store: MemoryStore, more: Start = {}): Promise<InputHashes> {
  let found: InputHashes | undefined;
  const hear = (hashes: InputHashes) => {
    found = hashes;
    return Promise.reject(new Known());
  };
  const ended = finetune({
    inputs: await datedInputs(),
    store,
    resume: 'exact',
    openGpu: () => Promise.reject(new Error('a device was opened')),
    emit: () => undefined,
    onIdentity: hear,
    onInputs: hear,
    ...more,
  });
  await expect(ended).rejects.toThrow(Known);
  return found!;
}

/** The hash of the tokens that a start's rows become. */
const tokens = async (store: MemoryStore, more?: Start): Promise<string> =>
  (await hashesOf(store, more)).tokens;

describe('the date of a run', () => {
  it('is that of its start when it resumes on another day', async () => {
    const evening = await tokens(new MemoryStore(), { moment: EVENING });
    expect(await tokens(new MemoryStore(), { moment: MORNING })).not.toBe(evening);
    expect(await tokens(held(EVENING), { moment: MORNING })).toBe(evening);
    expect(await tokens(held(EVENING), { moment: MORNING, resume: 'never' })).not.toBe(evening);
  });

  it('is found in a finished result, and past a broken checkpoint', async () => {
    const hashes = await hashesOf(new MemoryStore(), { moment: EVENING });
    const { tokens: evening } = hashes;
    const finished = new MemoryStore();
    // Its other inputs are compared before the base is read.
    finished.result['retune_state.json'] = cursor(EVENING, 1, hashes);
    expect(await tokens(finished, { moment: MORNING })).toBe(evening);
    const store = held(EVENING);
    store.saved.set(2, { 'retune_state.json': '{' });
    store.saved.set(3, { 'retune_state.json': cursor('yesterday', 3) });
    expect(await tokens(store, { moment: MORNING })).toBe(evening);
  });

  it('is today’s for a run of an earlier version, which kept none', async () => {
    expect(await tokens(held(undefined), { moment: MORNING })).toBe(
      await tokens(new MemoryStore(), { moment: MORNING }),
    );
  });

  it('is told and kept only where the base’s template writes it', async () => {
    const told: string[] = [];
    const emit = (event: RunEvent) => {
      if (event.type === 'note') {
        told.push(event.text);
      }
    };
    expect((await prepare(await datedInputs(), emit, EVENING)).moment).toBe(EVENING);
    expect(told).toEqual([
      'The chat template writes the current date: here 2026-03-07 23:59:58. A run keeps the date of its start, also when it is resumed.',
    ]);
    const plain = await prepare(await caseInputs('chat_messages'), emit, EVENING);
    expect([plain.moment, told.length]).toEqual([undefined, 1]);
  });
});

describe('the date of a test', () => {
  const v1 = (moment: unknown) =>
    memoryFolder('v1', { ...fixtureFiles('cases/chat_messages/v1'), 'retune_state.json': cursor(moment) });
  const questions = [{ question: 'How much?', answer: '', topic: '', difficulty: '' }];

  /** What a test reports about the date before it opens a device. */
  async function date(adapters: unknown[], chosen?: string): Promise<object | undefined> {
    const events: VersionsEvent[] = [];
    const test = askVersions({
      base: datedBase(),
      versions: adapters.map((moment) => ({
        open: () => Promise.resolve(v1(moment)),
        answered: new Set<number>(),
        lossWanted: false,
      })),
      questions,
      form: undefined,
      date: chosen,
      validation: undefined,
      recipe: defaultRecipe(),
      maxNewTokens: 4,
      shorter: '',
      sampling: GREEDY,
      seed: 1,
      openGpu: () => Promise.reject(new Known()),
      emit: (event) => events.push(event),
    });
    await expect(test).rejects.toThrow(Known);
    return events.find(({ type }) => type === 'date');
  }

  it('is that of the first version whose run has one, unless one is chosen', async () => {
    expect(await date([undefined, EVENING, MORNING])).toEqual({ type: 'date', date: EVENING, said: true });
    expect(await date([EVENING], MORNING)).toEqual({ type: 'date', date: MORNING, said: true });
    expect(await date([undefined])).toMatchObject({ type: 'date', said: false });
  });

  it('stands in the prompts', async () => {
    const tokenizer = await loadTokenizer(datedBase());
    const text = (moment: string) =>
      tokenizer.decode(encodeQuestions(tokenizer, questions, 'chat', moment)[0]!);
    expect(text(EVENING)).toMatch(/^Today: 07 Mar 2026\n/);
    expect(text(MORNING)).toMatch(/^Today: 08 Mar 2026\n/);
  });

  it('is told where it is today’s, and where the one that was chosen shows nowhere', async () => {
    const told: string[] = [];
    const file = await memoryFolder('q', { 'q.json': '[{"question": "How much?"}]' }).open('q.json');
    const call: Omit<AskModelOptions, 'base' | 'form'> = {
      adapter: undefined,
      questions: file!,
      recipe: defaultRecipe(),
      maxNewTokens: 4,
      shorter: '',
      sampling: GREEDY,
      seed: 1,
      testDate: '',
      openGpu: () => Promise.reject(new Known()),
      emit: (event) => event.type === 'note' && told.push(event.text),
    };
    const ask = async (more: Pick<AskModelOptions, 'base' | 'form' | 'date'>) =>
      expect(askModel({ ...call, ...more })).rejects.toThrow(Known);
    await ask({ base: datedBase(), form: 'chat' });
    await ask({ base: datedBase(), form: 'chat', date: EVENING });
    expect(told).toEqual([
      expect.stringMatching(
        /^The chat template writes the current date: [\d-]{10} [\d:]{8}, since the base alone has none; --date sets another\.$/,
      ),
    ]);
    await ask({ base: datedBase(), form: 'text', date: EVENING });
    expect(told[1]).toBe('--date has no effect: no chat template writes the date into these prompts.');
  });
});
