import { expect, it } from 'vitest';
import type { Recipe } from '../../../src/formats/recipe.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { caseInputs, comparable } from '../../support/run-case.ts';
import { runOnSharedDevice as run } from '../../support/shared-device.ts';

type Training = Recipe['training'];

/** Few steps of short rows: each variant is one whole run, and the same run in two parts. */
const recipe =
  (change: Partial<Training>) =>
  (r: Recipe): Recipe => ({
    ...r,
    training: { ...r.training, maxLength: 17, epochs: 1, saveSteps: 1, evalSteps: 2, ...change },
  });

// Two of the 13 rows share a sequence, and a step takes two sequences.
const PACKED: Partial<Training> = { packing: true, maxLength: 80, batchSize: 1, accumulationSteps: 2 };

it.each<[string, Partial<Training>, number, boolean]>([
  ['packed sequences', PACKED, 4, true],
  ['32-bit AdamW state', { optimizer: 'adamw_torch' }, 3, false],
])(
  'with %s, a run that was stopped ends in the bytes of one that never was',
  async (_, change, last, in8) => {
    const inputs = () => caseInputs('batch2', recipe(change));
    const whole = new MemoryStore();
    expect((await run({ inputs: await inputs(), store: whole })).status).toBe('finished');
    expect((await whole.checkpoints()).at(-1)).toBe(last);
    const state = whole.saved.get(last)!['optimizer.safetensors'] as Uint8Array;
    expect(new TextDecoder().decode(state.subarray(0, 2000)).includes('absmax')).toBe(in8);

    const store = new MemoryStore();
    const stop = new AbortController();
    const stopped = await run({
      inputs: await inputs(),
      store,
      signal: stop.signal,
      emit: (event) => {
        if (event.type === 'step') {
          stop.abort();
        }
      },
    });
    expect(stopped).toMatchObject({ status: 'stopped', step: 1 });
    const resumed = await run({ inputs: await inputs(), store });
    expect(resumed.status).toBe('finished');
    expect(resumed.events.find((event) => event.type === 'facts')?.facts.resumedStep).toBe(1);
    expect(comparable(store.result)).toEqual(comparable(whole.result));
    expect(comparable(store.saved.get(last)!)).toEqual(comparable(whole.saved.get(last)!));
  },
);
