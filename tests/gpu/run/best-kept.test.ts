import { beforeAll, expect, it } from 'vitest';
import { askModel } from '../../../src/comparison/ask-model.ts';
import type { Folder } from '../../../src/formats/byte-source.ts';
import type { Recipe } from '../../../src/formats/recipe.ts';
import type { TrainingSettings } from '../../../src/formats/recipe/settings.ts';
import { GREEDY } from '../../../src/generate/sampling.ts';
import type { RunEvent } from '../../../src/run/events.ts';
import type { RunInputs } from '../../../src/run/input/run-inputs.ts';
import type { SampleFilm } from '../../../src/run/samples/film.ts';
import { type MemoryFiles, memoryFolder, source } from '../../support/memory-folder.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { caseInputs, comparable } from '../../support/run-case.ts';
import { runOnSharedDevice as run, sharedDevice } from '../../support/shared-device.ts';

/** Six steps that first learn and then diverge, as in best-model.test.ts; no checkpoint is due before the last. */
const inputs = async (more: Partial<TrainingSettings> = {}, saveBest = true): Promise<RunInputs> => {
  const recipe = (r: Recipe): Recipe => ({
    ...r,
    training: {
      ...r.training,
      maxSteps: 6,
      accumulationSteps: 1,
      learningRate: 0.5,
      schedule: 'constant',
      maxGradNorm: 0,
      adamBeta2: 0.9,
      maxLength: 17,
      valSize: 4,
      evalSteps: 1,
      saveSteps: 9,
      saveTotalLimit: 1,
      loggingSteps: 1,
      ...(saveBest && { saveBest }),
      ...more,
    },
  });
  return { ...(await caseInputs('batch2', recipe)), validation: undefined };
};

const json = (files: MemoryFiles, name: string) =>
  JSON.parse(new TextDecoder().decode(files[name] as Uint8Array)) as Record<string, unknown>;
const historyOf = (files: MemoryFiles) =>
  json(files, 'trainer_state.json').log_history as Record<string, number>[];

let whole: MemoryStore;
let events: RunEvent[];
let best: number;

const PROMPTS = ['How do I bleed the brakes?', 'What\nis "it"?'];

beforeAll(async () => {
  whole = new MemoryStore();
  events = [];
  const sampled = { samplePrompts: PROMPTS, sampleTokens: 5 };
  await run({ inputs: await inputs(sampled), store: whole, emit: (event) => events.push(event) });
  const losses = historyOf(whole.result).filter(({ eval_loss }) => eval_loss !== undefined);
  best = losses.toSorted((a, b) => a.eval_loss! - b.eval_loss!)[0]!.step!;
  // Otherwise the run would not distinguish the best from the last.
  expect(best).toBeLessThan(5);
});

it('what a run starts from is evaluated once, for the record and not for the log', async () => {
  const [baseline, ...more] = events.filter((event) => event.type === 'baseline');
  expect(more).toEqual([]);
  expect(events.some((event) => event.type === 'phase' && event.phase === 'evaluating the start')).toBe(true);
  expect(json(whole.result, 'retune_state.json').baseline).toBe(baseline!.evalLoss);
  expect(json(whole.saved.get(best)!, 'retune_state.json').baseline).toBe(baseline!.evalLoss);
  expect(historyOf(whole.result).some(({ step }) => step === 0)).toBe(false);
  const logged = new MemoryStore();
  await run({ inputs: await inputs({ evalOnStart: true, maxSteps: 1 }), store: logged });
  expect(historyOf(logged.result)[0]).toMatchObject({ step: 0, eval_loss: baseline!.evalLoss });
  expect(json(logged.result, 'retune_state.json').baseline).toBeUndefined();
});

it('the best step is kept beside the last, and the result is the last', async () => {
  expect(await whole.checkpoints()).toEqual([best, 6]);
  expect(whole.result['adapter_model.safetensors']).toEqual(whole.saved.get(6)!['adapter_model.safetensors']);
  expect(json(whole.result, 'trainer_state.json')).toMatchObject({
    best_metric: null,
    best_model_checkpoint: null,
  });
});

it('sample prompts are answered before step 1 and at each evaluation, as a test of that step answers', async () => {
  const { samples } = json(whole.result, 'retune_state.json') as { samples: SampleFilm };
  expect(samples.prompts).toEqual(PROMPTS);
  const steps = samples.answers.map(({ step, prompt }) => [step, prompt]);
  expect(steps.toSorted()).toEqual(
    [0, 1, 2, 3, 4, 5, 6].flatMap((step) => [
      [step, 0],
      [step, 1],
    ]),
  );
  const answered = events.filter((event) => event.type === 'sample').map(({ answer }) => answer);
  expect(answered).toEqual(samples.answers);
  const { base, source: v1, recipe } = await inputs();
  const gpu = await sharedDevice();
  const asked = (adapter: Folder | undefined) =>
    askModel({
      ...{ base, adapter, recipe, form: undefined, maxNewTokens: 5, shorter: '', sampling: GREEDY, seed: 1 },
      questions: source('q.json', JSON.stringify(PROMPTS.map((question) => ({ question })))),
      ...{ testDate: '', openGpu: () => Promise.resolve(gpu), emit: () => undefined },
    });
  for (const [step, adapter] of [
    [0, v1],
    [best, memoryFolder('best', whole.saved.get(best)!)],
  ] as const) {
    const film = samples.answers.filter((one) => one.step === step).toSorted((a, b) => a.prompt - b.prompt);
    const { results } = await asked(adapter);
    expect(film.map(({ text }) => text)).toEqual(results.map(({ model_answer }) => model_answer));
  }
});

it('neither save_best nor sample prompts change a number', async () => {
  const exact = new MemoryStore();
  await run({ inputs: await inputs({}, false), store: exact });
  expect(await exact.checkpoints()).toEqual([6]);
  const identityOf = ({ result }: MemoryStore) => json(result, 'retune_state.json').identity;
  expect(identityOf(exact)).toEqual(identityOf(whole));
  expect(exact.result['adapter_model.safetensors']).toEqual(whole.result['adapter_model.safetensors']);
  expect(json(exact.result, 'retune_state.json').samples).toBeUndefined();
});

it('ends early, also where it was stopped on the way, in the same bytes', async () => {
  const early = new MemoryStore();
  const settings = { earlyStoppingPatience: 1 };
  const notes: string[] = [];
  const result = await run({
    inputs: await inputs(settings),
    store: early,
    emit: (event) => event.type === 'note' && notes.push(event.text),
  });
  const evals = historyOf(whole.result).filter(({ eval_loss }) => eval_loss !== undefined);
  const end = evals.find(({ eval_loss }, i) => i > 0 && eval_loss! >= evals[i - 1]!.eval_loss!)!.step!;
  expect(result).toMatchObject({ status: 'finished', step: end, maxSteps: 6 });
  expect(notes.join()).toContain(`Training ended after step ${end} of 6`);
  const state = json(early.result, 'trainer_state.json');
  expect(state).toMatchObject({ global_step: end, max_steps: 6, best_metric: expect.any(Number) as number });
  expect(state.stateful_callbacks).toMatchObject({
    EarlyStoppingCallback: {
      args: { early_stopping_patience: 1, early_stopping_threshold: 0 },
      attributes: { early_stopping_patience_counter: 1 },
    },
    TrainerControl: { args: { should_training_stop: true } },
  });
  const again = await run({ inputs: await inputs(settings), store: early });
  expect(again).toMatchObject({ status: 'already finished', step: end });

  const store = new MemoryStore();
  const controller = new AbortController();
  const emit = (event: RunEvent) => {
    if (event.type === 'log' && event.entry.step === end && event.entry.eval_loss === undefined) {
      controller.abort();
    }
  };
  const stopped = await run({ inputs: await inputs(settings), store, signal: controller.signal, emit });
  expect(stopped).toMatchObject({ status: 'stopped', step: end });
  await run({ inputs: await inputs(settings), store });
  expect(comparable(store.result)).toEqual(comparable(early.result));
});
