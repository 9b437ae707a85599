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
