import { expect, it } from 'vitest';
import { CURSOR } from '../../../src/run/checkpoint/checkpoint.ts';
import type { InputHashes } from '../../../src/run/checkpoint/identity.ts';
import type { Phase } from '../../../src/run/events.ts';
import { finetune } from '../../../src/run/finetune.ts';
import { fixtureBytes } from '../../support/memory-folder.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { caseInputs } from '../../support/run-case.ts';

/** The inputs' identity in the state of a finished run. */
async function finishedCursor(): Promise<Uint8Array> {
  let hashes: InputHashes | undefined;
  const refused = finetune({
    inputs: await caseInputs('recipe_text'),
    store: new MemoryStore(),
    resume: 'exact',
    openGpu: () => Promise.reject(new Error('a device was opened')),
    emit: () => undefined,
    onInputs: async (told) => void (hashes = told),
  });
  await expect(refused).rejects.toThrow('a device was opened');
  const cursor = JSON.parse(new TextDecoder().decode(fixtureBytes('run/retune_state.json'))) as object;
  return new TextEncoder().encode(JSON.stringify({ ...cursor, identity: { base: 'b', ...hashes } }));
}

it.each<Phase>(['opening files', 'tokenizing', 'hashing'])(
  'a signal given while %s ends the run there, with nothing written and no device opened',
  async (phase) => {
    const stop = new AbortController();
    const store = new MemoryStore();
    if (phase === 'hashing') {
      // The base is hashed alone over a finished run only.
      store.result[CURSOR] = await finishedCursor();
    }
    const before = Object.keys(store.result);
    const seen: string[] = [];
    const run = finetune({
      inputs: await caseInputs('recipe_text'),
      store,
      resume: 'exact',
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
    expect([store.saved.size, Object.keys(store.result), Object.keys(store.logs)]).toEqual([0, before, []]);
  },
);
