import { beforeAll, describe, expect, it } from 'vitest';
import { askModel } from '../../../src/comparison/ask-model.ts';
import type { Folder } from '../../../src/formats/byte-source.ts';
import type { Recipe } from '../../../src/formats/recipe.ts';
import { GREEDY } from '../../../src/generate/sampling.ts';
import type { Gpu } from '../../../src/gpu/device.ts';
import { adapterHash } from '../../../src/run/checkpoint/identity.ts';
import { takeStep } from '../../../src/run/take.ts';
import { memoryFolder, source } from '../../support/memory-folder.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { nullGpu } from '../../support/null-gpu.ts';
import { caseInputs, comparable, type RunCall, runOn } from '../../support/run-case.ts';

// On a device that computes next to nothing, but ends in other bytes where a run goes on with anything else than what
// it had; tests/gpu/run/resume.test.ts has what real kernels must give.

/** 7 steps over 3 epochs of 3, 3 and 1, saved every second. */
const recipe = (r: Recipe): Recipe => ({
  ...r,
  training: { ...r.training, maxLength: 9, saveSteps: 2, saveTotalLimit: 4, evalSteps: 3 },
});

const inputs = (change = recipe) => caseInputs('batch2', change);

let gpu: Gpu;
let whole: MemoryStore;
const run = (call: RunCall) => runOn(gpu, call);

beforeAll(async () => {
  gpu = await nullGpu();
  whole = new MemoryStore();
  expect((await run({ inputs: await inputs(), store: whole })).status).toBe('finished');
});

describe('a finished run', () => {
  it.each([
    ['has lost its adapter', 'adapter_model.safetensors', 'is missing'],
    ['has another adapter', 'adapter_model.safetensors', 'has SHA-256 \\w+, expected \\w+'],
    ['has lost its log', 'trainer_state.json', 'is missing'],
  ])('whose result %s writes it again from its last checkpoint, and says so', async (_, file, what) => {
    const store = new MemoryStore();
    store.saved.set(7, structuredClone(whole.saved.get(7)!));
    Object.assign(store.result, structuredClone(whole.result));
    if (what === 'is missing') {
      Reflect.deleteProperty(store.result, file);
    } else {
      (store.result[file] as Uint8Array)[5000]! ^= 1;
    }
    const { status, events } = await run({ inputs: await inputs(), store });
    expect(status).toBe('finished');
    expect(events.filter((e) => e.type === 'note').map((e) => e.text)).toEqual([
      expect.stringMatching(
        new RegExp(`^memory: ${file} ${what}: writing the result again, from checkpoint-7\\.$`),
      ),
    ]);
    expect(comparable(store.result)).toEqual(comparable(whole.result));
  });

  it('whose model card was edited is still finished', async () => {
    const store = new MemoryStore();
    Object.assign(store.result, structuredClone(whole.result), { 'README.md': 'my own' });
    expect((await run({ inputs: await inputs(), store })).status).toBe('already finished');
  });

  it('whose result is broken with no checkpoint left is refused', async () => {
    const store = new MemoryStore();
    Object.assign(store.result, structuredClone(whole.result));
    delete store.result['adapter_model.safetensors'];
    await expect(run({ inputs: await inputs(), store })).rejects.toThrow(
      /^memory: adapter_model\.safetensors is missing, and there is no checkpoint to write it from again; start again with --resume never, or choose another output\.$/,
    );
  });
});

it('a run with a broken last checkpoint falls back to the one before, and says so', async () => {
  const store = new MemoryStore();
  store.saved.set(2, structuredClone(whole.saved.get(2)!));
  const broken = structuredClone(whole.saved.get(4)!);
  (broken['optimizer.safetensors'] as Uint8Array)[5000]! ^= 1;
  store.saved.set(4, broken);
  const { events } = await run({ inputs: await inputs(), store });
  const notes = events.filter((e) => e.type === 'note').map((e) => e.text);
  expect(notes).toEqual([
    expect.stringMatching(
      /^checkpoint-4: optimizer\.safetensors has SHA-256 .*resuming from checkpoint-2\.$/,
    ),
  ]);
  expect(comparable(store.result)).toEqual(comparable(whole.result));
});

it('a checkpoint for rescue stays until the next, beside those that the recipe keeps', async () => {
  const store = new MemoryStore();
  const seen: number[][] = [];
  const limited = await inputs((r) => ({
    ...recipe(r),
    training: { ...recipe(r).training, saveTotalLimit: 1 },
  }));
  await run({
    inputs: limited,
    store,
    onPassEnd: async (save) => {
      await save(true);
      seen.push(await store.checkpoints());
    },
  });
  const different = seen.filter((steps, i) => i === 0 || steps.join() !== seen[i - 1]!.join());
  expect(different.map((steps) => steps.join())).toEqual([
    '',
    '1',
    '2',
    '2,3',
    '4',
    '4,5',
    '4,6',
    '6',
    '6,7',
  ]);
  expect(await store.checkpoints()).toEqual([7]);
  const { adapter, optimizer } = comparable(store.result);
  expect([adapter, optimizer]).toEqual([
    comparable(whole.result).adapter,
    comparable(whole.result).optimizer,
  ]);
});

it('if no more checkpoints fit, the run continues, and says so', async () => {
  const store = new MemoryStore();
  const { events } = await run({
    inputs: await inputs(),
    store,
    emit: (event) => {
      if (event.type === 'step') {
        store.full = event.progress.step === 4 || event.progress.step === 5;
      }
    },
  });
  const notes = events.filter((e) => e.type === 'note').map((e) => e.text);
  const [checkpoints, logs] = [true, false].map((wanted) =>
    notes.filter((text) => text.startsWith('checkpoint-') === wanted),
  );
  expect(checkpoints).toEqual([
    'checkpoint-4: no room; make some; the run continues, and tries again at its next checkpoint.',
  ]);
  for (const text of logs!) {
    expect(text).toMatch(/; the run continues, and writes the whole log with its next entry\.$/);
  }
  expect(await store.checkpoints()).toEqual([2, 6, 7]);
  expect(comparable(store.result)).toEqual(comparable(whole.result));
  expect(Object.values(store.logs)).toHaveLength(1);
});

describe('a run that is not the same', () => {
  const leftover = () => {
    const store = new MemoryStore();
    store.saved.set(4, structuredClone(whole.saved.get(4)!));
    return store;
  };

  it('is refused, naming what changed', async () => {
    const other = await inputs((r) => ({ ...recipe(r), seed: 10 }));
    await expect(run({ inputs: other, store: leftover() })).rejects.toThrow(
      /^memory: the unfinished run there was started with other inputs: changed the recipe \(SHA-256 .* then, .* now\); .*--resume never, or choose another output\.$/,
    );
    const noEval = { ...(await inputs()), validation: undefined };
    await expect(run({ inputs: noEval, store: leftover() })).rejects.toThrow(
      /changed the validation data \(SHA-256 [^)]*, none now\); bring back/,
    );
  });

  it('is not begun over an adapter that no run left there', async () => {
    const store = new MemoryStore();
    const adapter = whole.result['adapter_model.safetensors']!;
    store.result['adapter_model.safetensors'] = adapter;
    await expect(run({ inputs: await inputs(), store })).rejects.toThrow(
      /^memory: adapter_model\.safetensors is there without a run's retune_state\.json, and the new adapter would take its place; start again with --resume never, or choose another output\.$/,
    );
    expect(store.result).toEqual({ 'adapter_model.safetensors': adapter });
    expect(store.saved.size).toBe(0);
  });

  it('with --resume weights takes over the adapter and starts with a fresh optimizer', async () => {
    const store = leftover();
    const { events, status } = await run({ inputs: await inputs(), store, resume: 'weights' });
    expect(status).toBe('finished');
    expect(events.find((e) => e.type === 'facts')?.facts.resumedStep).toBe(0);
    const cursor = comparable(store.result).cursor as { weightsFrom: string; step: number };
    expect(cursor).toMatchObject({ weightsFrom: 'checkpoint-4', step: 7 });
    expect(store.result['adapter_model.safetensors']).not.toEqual(whole.result['adapter_model.safetensors']);
  });

  it('with --resume weights falls back to the checkpoint before a broken one, and says so', async () => {
    const store = leftover();
    const broken = structuredClone(whole.saved.get(4)!);
    (broken['adapter_model.safetensors'] as Uint8Array)[5000]! ^= 1;
    store.saved.set(2, structuredClone(whole.saved.get(2)!)).set(4, broken);
    const { events } = await run({ inputs: await inputs(), store, resume: 'weights' });
    expect(events.filter((e) => e.type === 'note').map((e) => e.text)).toEqual([
      expect.stringMatching(
        /^checkpoint-4: adapter_model\.safetensors has SHA-256 .*resuming from checkpoint-2\.$/,
      ),
    ]);
    expect(comparable(store.result).cursor).toMatchObject({ weightsFrom: 'checkpoint-2' });
  });

  it('with --resume never starts from V1 again, leaving nothing of the earlier run', async () => {
    const store = leftover();
    const { events } = await run({ inputs: await inputs(), store, resume: 'never' });
    expect(events.find((e) => e.type === 'facts')?.facts.resumedStep).toBe(0);
    expect(comparable(store.result)).toEqual(comparable(whole.result));
  });
});

it('a step that was taken is V2 to the next run, and to a test: its form, its rows and its hash', async () => {
  const { step, files } = await takeStep(whole, 4);
  const v2: Folder = {
    name: 'v2-step-4',
    list: () => Promise.resolve([...files.keys()]),
    open: (file) => Promise.resolve(files.get(file)),
  };
  const third = new MemoryStore();
  await run({ inputs: { ...(await inputs()), source: v2 }, store: third });
  const cursor = JSON.parse(new TextDecoder().decode(third.result['retune_state.json'] as Uint8Array)) as {
    identity: { source: string };
  };
  const checkpoint = memoryFolder('checkpoint-4', whole.saved.get(4)!);
  expect(step).toBe(4);
  expect(cursor.identity.source).toBe(await adapterHash(checkpoint));
  expect(new TextDecoder().decode(third.result['README.md'] as Uint8Array)).toContain(cursor.identity.source);
  const said: unknown[] = [];
  await askModel({
    ...{
      base: (await inputs()).base,
      adapter: v2,
      recipe: (await inputs()).recipe,
      form: undefined,
      shorter: '',
    },
    ...{ questions: source('q.json', '[{"question": "?"}]'), maxNewTokens: 1, seed: 1 },
    ...{
      sampling: GREEDY,
      testDate: '',
      openGpu: () => Promise.resolve(gpu),
      emit: (event) => said.push(event),
    },
  });
  // Its form is known, so that nothing has to be said about it.
  expect(said).not.toContainEqual(expect.objectContaining({ type: 'note' }));
});
