import { ownScript } from '../platform/own-script.ts';
import host from './host.ts?worker&url';
import type { EngineApi } from './protocol/protocol.ts';
import readerHost from './reader-host.ts?worker&url';
import { callable, ReplaceableWorker } from './replaceable.ts';
import { importRun } from './runs/import-run.ts';
import { type KeeperApi, type ReaderApi, READS } from './worker-apis.ts';

/** An engine that has not answered by then counts as unresponsive. */
const PATIENCE_MS = 2000;

/** Calls that take minutes of a worker of their own. */
const EXPORTS = ['exportAdapterInto', 'exportAdapterFile', 'handOver'] as const;

/** Calls that run until they are stopped, and calls that must not be interrupted. */
const KEPT = ['start', 'resume', 'startTest', 'resumeTest', 'repeatTest', 'keepArchive'] as const;

/** Calls that look through a file's rows, also while it is read for another reason. */
const LOOKS = ['surveyRows', 'showRows', 'findRows', 'exportRows', 'exportTokens', 'promptsIn'] as const;

const openHost = () => new Worker(ownScript(host), { type: 'module', name: 'engine' });
const openReader = (name: string) => new Worker(ownScript(readerHost), { type: 'module', name });

/**
 * Starts the engine: the page's thread never computes. One worker trains and stores; another reads what is chosen,
 * exported and imported, so that no file can hold up a run, and a worker that hangs on a file can be terminated; a third
 * merges and quantizes, and a fourth looks through rows.
 */
export function startEngine(open = openHost): EngineApi {
  const keeper = new ReplaceableWorker<KeeperApi>({
    open,
    work: [...KEPT, 'measureSpeed', 'exportLosses', 'chat'],
    kept: KEPT,
  });
  const reader = new ReplaceableWorker<ReaderApi>({ open: () => openReader('reader') });
  const exporter = new ReplaceableWorker<ReaderApi>({ open: () => openReader('exporter'), work: EXPORTS });
  const looker = new ReplaceableWorker<ReaderApi>({ open: () => openReader('looker') });
  keeper.start();
  const own: Pick<EngineApi, 'importRun' | 'responds' | 'restart'> = {
    importRun: (...args) => importRun(reader.api, keeper.api, ...args),
    responds: () =>
      Promise.race([
        keeper.api.ping().then(() => true),
        new Promise<boolean>((resolve) => setTimeout(() => resolve(false), PATIENCE_MS)),
      ]),
    restart: (message) => keeper.replace(message),
  };
  const all: Record<string, unknown> = {
    ...own,
    ...Object.fromEntries(READS.map((name) => [name, reader.api[name]])),
    ...Object.fromEntries(EXPORTS.map((name) => [name, exporter.api[name]])),
    ...Object.fromEntries(LOOKS.map((name) => [name, looker.api[name]])),
  };
  return callable((name, args) => {
    const method = Object.hasOwn(all, name) ? all[name] : keeper.api[name as keyof KeeperApi];
    return (method as (...args: unknown[]) => unknown)(...args);
  }) as EngineApi;
}
