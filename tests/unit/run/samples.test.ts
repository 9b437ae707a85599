import { beforeAll, describe, expect, it } from 'vitest';
import type { Recipe } from '../../../src/formats/recipe.ts';
import type { TrainingSettings } from '../../../src/formats/recipe/settings.ts';
import type { Gpu } from '../../../src/gpu/device.ts';
import type { RunEvent } from '../../../src/run/events.ts';
import { prepare } from '../../../src/run/input/prepare.ts';
import { passInputOf } from '../../../src/run/plan/new-execution-plan.ts';
import { sizedInput } from '../../../src/run/plan/pass-size.ts';
import { SampleClock } from '../../../src/run/samples/clock.ts';
import {
  filmLines,
  isSampleFilm,
  type SampleFilm,
  SampleLog,
  withSample,
} from '../../../src/run/samples/film.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { nullGpu } from '../../support/null-gpu.ts';
import { caseInputs, comparable, type RunCall, runOn } from '../../support/run-case.ts';

const PROMPTS = ['How do I bleed the brakes?', 'Why?', 'When?', 'Who?'];

/** 7 steps, evaluated after 3, 6 and 7, saved every second. */
const inputs = (more: Partial<TrainingSettings> = { samplePrompts: PROMPTS, sampleTokens: 1 }) =>
  caseInputs('batch2', (r: Recipe) => ({
    ...r,
    training: { ...r.training, maxLength: 9, saveSteps: 2, saveTotalLimit: 4, evalSteps: 3, ...more },
  }));

let gpu: Gpu;
let whole: MemoryStore;
let events: RunEvent[];
const run = (call: RunCall) => runOn(gpu, call);

const filmOf = ({ result }: MemoryStore): SampleFilm => {
  const text = new TextDecoder().decode(result['retune_state.json'] as Uint8Array);
  return (JSON.parse(text) as { samples: SampleFilm }).samples;
};
const stepsOf = (film: SampleFilm) => film.answers.map(({ step, prompt }) => [step, prompt]).toSorted();
const ALL = [0, 3, 6, 7].flatMap((step) => PROMPTS.map((_, prompt) => [step, prompt]));

beforeAll(async () => {
  gpu = await nullGpu();
  whole = new MemoryStore();
  ({ events } = await run({ inputs: await inputs(), store: whole }));
});

describe('a run with sample prompts', () => {
  it('answers them before step 1, at each evaluation and at the end, holding what its plan says', () => {
    expect(stepsOf(filmOf(whole))).toEqual(ALL);
    expect(filmOf(whole).prompts).toEqual(PROMPTS);
    const done = events.flatMap((event) =>
      event.type === 'phase' && event.phase === 'answering sample prompts' ? [event.done] : [],
    );
    expect(done.slice(0, 5)).toEqual([0, 1, 2, 3, 4]);
    const lines = new TextDecoder().decode(whole.logs['sample_answers.jsonl'] as Uint8Array).split('\n');
    expect(lines).toHaveLength(ALL.length + 1);
    expect(JSON.parse(lines[0]!)).toMatchObject({ step: 0, prompt: PROMPTS[0] });
    expect(isSampleFilm(filmOf(whole))).toBe(true);
  });

  it('gives the bytes of one without, in the same passes whatever memory there is', async () => {
    const plain = new MemoryStore();
    await run({ inputs: await inputs({}), store: plain });
    const { samples, ...cursor } = comparable(whole.result).cursor as { samples: SampleFilm };
    expect(samples.answers).toHaveLength(ALL.length);
    expect({ ...comparable(whole.result), cursor }).toEqual(comparable(plain.result));
    const [one, other] = await Promise.all(
      [inputs({}), inputs()].map(async (each) => passInputOf(await prepare(await each, () => undefined))),
    );
    expect(other!.samples).toMatchObject({ sequences: 4 });
    for (const budget of [2 ** 20, 2 ** 24, 2 ** 26, 2 ** 30]) {
      const size = { windowTokens: 5000 };
      expect(sizedInput({ ...other!, ...size }, budget, Infinity).passTokens).toBe(
        sizedInput({ ...one!, ...size }, budget, Infinity).passTokens,
      );
    }
  });

  it.each([
    [7, 3],
    [0, 1],
  ])('stopped among the answers of step %d, after %d, goes on with the next', async (at, after) => {
    const store = new MemoryStore();
    const stop = new AbortController();
    const first: RunEvent[] = [];
    const stopped = await run({
      inputs: await inputs(),
      store,
      signal: stop.signal,
      emit: (event) => {
        first.push(event);
        const { length } = first.filter((one) => one.type === 'sample' && one.answer.step === at);
        if (length === after) {
          stop.abort();
        }
      },
    });
    expect(stopped).toMatchObject({ status: 'stopped', step: at });
    const { events: then } = await run({ inputs: await inputs(), store });
    const answers = [...first, ...then].filter((event) => event.type === 'sample');
    expect(answers.filter(({ answer }) => answer.step === at)).toHaveLength(PROMPTS.length);
    expect(answers).toHaveLength(ALL.length);
    expect(then.find((event) => event.type === 'facts')!.facts.samples!.answers).toHaveLength(
      first.filter((event) => event.type === 'sample').length,
    );
    expect(filmOf(store).answers).toHaveLength(ALL.length);
    expect(comparable(store.result)).toEqual(comparable(whole.result));
  });

  it('pauses between two tokens, and saves what is answered so far', async () => {
    const store = new MemoryStore();
    let told = 0;
    let saved = 0;
    await run({
      inputs: await inputs(),
      store,
      emit: (event) => {
        told += Number(event.type === 'sample');
      },
      onPassEnd: async (save) => {
        if (told === 6 && saved === 0) {
          await save(true);
          const { samples } = comparable(store.saved.get(3)!).cursor as { samples: SampleFilm };
          saved = samples.answers.length;
        }
      },
    });
    expect(saved).toBe(6);
    expect(comparable(store.result)).toEqual(comparable(whole.result));
  });

  it('resumes with other prompts, without losing the answers to those it had', async () => {
    const store = new MemoryStore();
    const stop = new AbortController();
    const emit = (event: RunEvent) => event.type === 'step' && event.progress.step === 4 && stop.abort();
    await run({ inputs: await inputs(), store, signal: stop.signal, emit });
    await run({ inputs: await inputs({ samplePrompts: ['Where?', 'Why?'] }), store });
    const film = filmOf(store);
    expect(film.prompts).toEqual([...PROMPTS, 'Where?']);
    expect(stepsOf(film)).toEqual([
      ...ALL.filter(([step]) => step! < 4),
      ...[6, 7].flatMap((step) => [
        [step, 1],
        [step, 4],
      ]),
    ]);
  });
});

describe('before the start', () => {
  const refused = async (more: Partial<TrainingSettings>) =>
    prepare(await inputs(more), () => undefined).then(
      () => 'taken',
      (error: Error) => error.message,
    );

  it('says where the model has no room, or the answers would be too many', async () => {
    expect(await refused({ samplePrompts: ['Why?', 'why '.repeat(2000)] })).toMatch(
      /^training\.sample_prompts, prompt 2: [\d,]+ tokens and up to 64 of the answer, expected at most [\d,]+ together \(max_position_embeddings\); shorten it or lower sample_max_new_tokens\.$/,
    );
    expect(await refused({ samplePrompts: PROMPTS, evalSteps: 1, maxSteps: 2000 })).toBe(
      'training.sample_prompts: 4 prompts answered 2,001 times make 8,004 answers, expected at most 4,000; raise eval_steps, or ask fewer.',
    );
  });

  it('says that they could be left out where the memory does not suffice', async () => {
    const call = { inputs: await inputs(), store: new MemoryStore(), memory: 2 ** 17 };
    await expect(run(call)).rejects.toThrow(/KV cache.*leave out sample_prompts, or allow more\.$/);
  });
});

describe('the film', () => {
  it('bounds what it keeps, and is refused where it is none', () => {
    const log = new SampleLog(['a', 'a', 'b']);
    expect(log.film).toBeUndefined();
    log.add(0, 'b', { text: 'x'.repeat(9000), cut: true });
    expect(log.film).toEqual({
      prompts: ['a', 'b'],
      answers: [{ step: 0, prompt: 1, text: 'x'.repeat(8000), cut: true }],
    });
    expect(log.missing(0)).toEqual(['a']);
    expect(withSample(undefined, { prompt: 'b', answer: log.film!.answers[0]! }).prompts).toEqual(['b']);
    expect(filmLines(log.film!).startsWith('{"step":0,"prompt":"b","answer":"xx')).toBe(true);
    const answer = { step: 0, prompt: 0, text: '' };
    expect(isSampleFilm({ prompts: ['a'], answers: [answer] })).toBe(true);
    for (const wrong of [
      { ...answer, prompt: 1 },
      { ...answer, step: -1 },
      { ...answer, text: 1 },
      { ...answer, text: 'x'.repeat(8001) },
      { ...answer, cut: false },
    ]) {
      expect(isSampleFilm({ prompts: ['a'], answers: [wrong] })).toBe(false);
    }
    expect(isSampleFilm({ prompts: ['a'] })).toBe(false);
  });

  it('tells how long answering still takes', () => {
    const clock = new SampleClock(10, (step) => step % 4 === 0);
    expect(clock.secondsLeft(1)).toBe(0);
    clock.add(2);
    clock.add(4);
    // After 4, 8 and 10.
    expect([1, 4, 5, 8, 9, 10].map((step) => clock.secondsLeft(step))).toEqual([9, 9, 6, 6, 3, 3]);
    expect([1, 2, 3, 4, 5].map((step) => clock.secondsLeft(step))).toEqual([9, 9, 9, 9, 6]);
  });
});
