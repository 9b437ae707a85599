import { wrap, type Remote } from 'comlink';
import { ownScript } from '../platform/own-script.ts';
import host from './host.ts?worker&url';
import type { EngineApi } from './protocol.ts';

/** Starts the engine in a worker of its own: the page's thread never computes. */
export function startEngine(): Remote<EngineApi> {
  return wrap<EngineApi>(new Worker(ownScript(host), { type: 'module', name: 'engine' }));
}
