import { expect, it } from 'vitest';
import { initialState } from '../../../src/app/shared/app-state.ts';
import { EngineWatch } from '../../../src/app/shared/engine-watch.ts';
import { Store } from '../../../src/app/shared/store.ts';
import type { EngineApi } from '../../../src/engine/protocol/protocol.ts';

/** An engine that responds from the n-th ping on. */
function watched(from: number) {
  const store = new Store(initialState);
  const seen: boolean[] = [];
  store.subscribe(() => seen.push(store.state.unresponsive));
  let asked = 0;
  const ended: string[] = [];
  const engine = {
    responds: () => Promise.resolve(++asked >= from),
    restart: (message: string) => ended.push(message),
  } as unknown as EngineApi;
  return { watch: new EngineWatch(engine, store), seen, ended, asked: () => asked };
}

it('says nothing of an engine that hears', async () => {
  const { watch, seen } = watched(1);
  await watch.watch();
  expect(seen).toEqual([]);
});

it('says that the engine does not hear until it does, asking once at a time, and ends it only when told to', async () => {
  const { watch, seen, ended, asked } = watched(3);
  await Promise.all([watch.watch(), watch.watch()]);
  expect(seen).toEqual([true, true, false]);
  expect(asked()).toBe(3);
  expect(ended).toEqual([]);
  watch.end();
  expect(ended).toEqual([expect.stringMatching(/^The engine did not respond and was ended; .*\.$/)]);
});
