import { expect, it } from 'vitest';
import type { Phase } from '../../../src/run/events.ts';
import { finetune } from '../../../src/run/finetune.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { caseInputs } from '../../support/run-case.ts';

it.each<Phase>(['opening files', 'tokenizing', 'hashing'])(
  'a signal given while %s ends the run there, with nothing written and no device opened',
  async (phase) => {
    const stop = new AbortController();
    const store = new MemoryStore();
    const seen: string[] = [];
    const run = finetune({
      inputs: await caseInputs('recipe_text'),
      store,
      resume: 'exact',
      startedBefore: true,
      openGpu: () => Promise.reject(new Error('a device was opened')),
      signal: stop.signal,
      emit: (event) => {
        if (event.type !== 'phase') {
          return;
        }
        seen.push(event.phase);
        if (event.phase === phase) {
          stop.abort();
        }
      },
    });
    const error = await run.catch((e: unknown) => e);
    expect(error).toBe(stop.signal.reason);
    expect(seen.filter((name) => name === phase)).toHaveLength(1);
    expect([store.saved.size, Object.keys(store.result), Object.keys(store.logs)]).toEqual([0, [], []]);
  },
);
