import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { Recipe } from '../../../src/formats/recipe.ts';
import { Stream } from '../../../src/gpu/stream.ts';
import type { RunEvent } from '../../../src/run/events.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { comparable, dropoutInputs } from '../../support/run-case.ts';
import { runOnSharedDevice as run } from '../../support/shared-device.ts';

/** 7 steps under dropout over 3 epochs of 3, 3 and 1, saved every second; half rows, since there are many runs. */
const recipe = (r: Recipe): Recipe => ({
  ...r,
  training: { ...r.training, maxLength: 9, saveSteps: 2, saveTotalLimit: 4, evalSteps: 3 },
});

const inputs = (change = recipe) => dropoutInputs('batch2', 0.1, change);

/** Stops at the event that `when` accepts, even in the middle of a step's passes. */
async function stopped(store: MemoryStore, when: (event: RunEvent) => boolean): Promise<number> {
  const controller = new AbortController();
  const result = await run({
    inputs: await inputs(),
    store,
    signal: controller.signal,
    emit: (event) => {
      if (when(event)) {
        controller.abort();
      }
    },
  });
  expect(result.status).toBe('stopped');
  return result.step;
}

let whole: MemoryStore;

beforeAll(async () => {
  whole = new MemoryStore();
  expect((await run({ inputs: await inputs(), store: whole })).status).toBe('finished');
});

describe('a run', () => {
  it('gives the same bytes twice', async () => {
    const again = new MemoryStore();
    await run({ inputs: await inputs(), store: again });
    expect(comparable(again.result)).toEqual(comparable(whole.result));
    expect(comparable(again.saved.get(6)!)).toEqual(comparable(whole.saved.get(6)!));
  });

  it('leaves the checkpoints that save_steps and save_total_limit ask for', async () => {
    expect(await whole.checkpoints()).toEqual([2, 4, 6, 7]);
  });

  it('says that it is finished when started again', async () => {
    const before = structuredClone(whole.result);
    const again = await run({ inputs: await inputs(), store: whole });
    expect(again.status).toBe('already finished');
    expect(whole.result).toEqual(before);
  });

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

describe('stopped and started again, a run ends in the same bytes', () => {
  const step = (n: number) => (event: RunEvent) => event.type === 'step' && event.progress.step === n;

  it.each([
    ['after the first step', step(1), 1],
    ['at the end of an epoch', step(3), 3],
    ['right after a checkpoint', (e: RunEvent) => e.type === 'checkpoint' && e.step === 4, 4],
    ['during an evaluation', (e: RunEvent) => e.type === 'phase' && e.phase === 'evaluating', 3],
    ['before the last step', step(6), 6],
  ])('%s', async (_, when, at) => {
    const store = new MemoryStore();
    expect(await stopped(store, when)).toBe(at);
    const result = await run({ inputs: await inputs(), store });
    expect(result.status).toBe('finished');
    expect(comparable(store.result)).toEqual(comparable(whole.result));
    expect(comparable(store.saved.get(7)!)).toEqual(comparable(whole.saved.get(7)!));
  });

  // A killed process leaves the checkpoints written until then.
  it.each([
    ['in the middle of a step', 4],
    ['between the last checkpoint and the result', 7],
  ])('killed %s, it goes on from the checkpoint before', async (_, step) => {
    const store = new MemoryStore();
    store.saved.set(step, structuredClone(whole.saved.get(step)!));
    const { events } = await run({ inputs: await inputs(), store });
    expect(events.find((e) => e.type === 'facts')?.facts.resumedStep).toBe(step);
    expect(comparable(store.result)).toEqual(comparable(whole.result));
  });

  it('in the middle of an accumulation, between two of its passes', async () => {
    // A plan of smaller passes, as a smaller device would have made it: each step takes several.
    const start = () => {
      const store = new MemoryStore();
      const files = structuredClone(whole.saved.get(4)!);
      const cursor = JSON.parse(new TextDecoder().decode(files['retune_state.json'] as Uint8Array)) as {
        plan: { passTokens: number };
      };
      cursor.plan.passTokens = 32;
      store.saved.set(4, { ...files, 'retune_state.json': JSON.stringify(cursor) });
      return store;
    };
    const alone = start();
    let passes = 0;
    const between = () => {
      passes++;
      return Promise.resolve();
    };
    await run({ inputs: await inputs(), store: alone, onPassEnd: between });
    expect(passes).toBeGreaterThan(3 * 3);
    const store = start();
    const controller = new AbortController();
    let left = 5;
    const stop = () => {
      if (--left === 0) {
        controller.abort();
      }
      return Promise.resolve();
    };
    const { signal } = controller;
    const first = await run({ inputs: await inputs(), store, signal, onPassEnd: stop });
    expect(first.status).toBe('stopped');
    await run({ inputs: await inputs(), store });
    expect(comparable(store.result)).toEqual(comparable(alone.result));
  });

  it('in the middle of a pass it stops there, and resumes to the same bytes', async () => {
    const { throttle } = Stream.prototype;
    let breaths = -Infinity;
    /** Stops at that `throttle`. */
    const until = async (store: MemoryStore, last: number) => {
      const controller = new AbortController();
      breaths = -Infinity;
      const counted = vi.spyOn(Stream.prototype, 'throttle').mockImplementation(function (this: Stream) {
        if (++breaths === last) {
          controller.abort();
        }
        return throttle.call(this);
      });
      const { status } = await run({
        inputs: await inputs(),
        store,
        signal: controller.signal,
        // Before it, a dry run finds the kernels.
        emit: ({ type }) => type === 'facts' && (breaths = 0),
      });
      counted.mockRestore();
      return status;
    };
    expect(await until(new MemoryStore(), Infinity)).toBe('finished');
    const all = breaths;
    // In the first step, further on, and in the last evaluation.
    for (const last of [4, Math.floor(all / 2) + 1, all - 1]) {
      const store = new MemoryStore();
      expect(await until(store, last)).toBe('stopped');
      expect(breaths).toBe(last);
      await run({ inputs: await inputs(), store });
      expect(comparable(store.result)).toEqual(comparable(whole.result));
    }
  });

  it('with a broken last checkpoint it falls back to the one before, and says so', async () => {
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
});

describe('a checkpoint that was asked for', () => {
  it('during an evaluation is kept before its end, and leads to the same bytes', async () => {
    const store = new MemoryStore();
    const kept: MemoryStore[] = [];
    const told: string[] = [];
    const { events } = await run({
      inputs: await inputs(),
      store,
      onPassEnd: async (save) => {
        if (!told.includes('step 3') || told.some((line) => line.startsWith('eval'))) {
          return;
        }
        await save();
        const copy = new MemoryStore();
        copy.saved.set(3, structuredClone(store.saved.get(3)!));
        kept.push(copy);
      },
      emit: (event) => {
        if (event.type === 'step') {
          told.push(`step ${event.progress.step}`);
        }
        if (event.type === 'log' && event.entry.eval_loss !== undefined) {
          told.push(`eval ${event.entry.step}`);
        }
        if (event.type === 'checkpoint') {
          told.push(`checkpoint ${event.step}`);
        }
      },
    });
    expect(events.length).toBeGreaterThan(0);
    expect(told.slice(told.indexOf('step 3'), told.indexOf('step 4'))).toEqual([
      'step 3',
      'checkpoint 3',
      'eval 3',
    ]);
    expect(comparable(store.result)).toEqual(comparable(whole.result));
    const [left] = kept;
    await run({ inputs: await inputs(), store: left! });
    expect(comparable(left!.result)).toEqual(comparable(whole.result));
  });

  it('for rescue stays until the next, beside those that the recipe keeps', async () => {
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

it('a loss that is not finite stops the run, naming step, rows and the last good checkpoint', async () => {
  const wild = await inputs((r) => ({
    ...recipe(r),
    training: { ...recipe(r).training, learningRate: 1e30, schedule: 'constant', saveSteps: 1 },
  }));
  const store = new MemoryStore();
  await expect(run({ inputs: wild, store })).rejects.toThrow(
    /^Step \d+: the (loss|gradient) is not finite \(.*train\.jsonl, lines? \d+.*\); the last good one is checkpoint-\d+; lower training\.learning_rate/,
  );
  const steps = await store.checkpoints();
  expect(steps.length).toBeGreaterThan(0);
});
