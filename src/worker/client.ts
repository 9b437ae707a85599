import { wrap, type Remote } from 'comlink';
import type { EngineApi } from './protocol.ts';

/** Starts the engine in a worker of its own: the page's thread never computes. */
export function startEngine(): Remote<EngineApi> {
  return wrap<EngineApi>(
    new Worker(new URL('./host.ts', import.meta.url), { type: 'module', name: 'engine' }),
  );
}
