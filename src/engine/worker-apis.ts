import type { Answer } from './answer.ts';
import type { EngineApi } from './protocol/protocol.ts';
import type { ReadArchive } from './runs/read-archive.ts';
import type { OnProgress } from './watch.ts';

/** The calls of EngineApi that ReaderApi answers. */
export const READS = [
  'inspectBase',
  'inspectAdapter',
  'inspectRows',
  'inspectQuestions',
  'parseRecipe',
  'plan',
  'exportRun',
  'exportCheckpoint',
  'exportRunInto',
  'archiveRun',
] as const satisfies (keyof EngineApi)[];

/**
 * What the worker does that reads files of others: it holds nothing and writes nothing into the browser's database, so
 * that it can be ended in the middle of anything.
 */
export interface ReaderApi extends Pick<EngineApi, (typeof READS)[number]> {
  /** The run of an archive, found sound. */
  readArchive(file: File, onProgress?: OnProgress, signal?: AbortSignal): Promise<Answer<ReadArchive>>;
}

/** What the worker does that has the GPU and the browser's database. */
export interface KeeperApi extends Omit<
  EngineApi,
  (typeof READS)[number] | 'importRun' | 'hears' | 'restart'
> {
  /** Puts the run of an archive in the browser, whole or not at all. */
  keepArchive(archive: ReadArchive): Promise<Answer<{ id: string; name: string }>>;
  /** Answers at once. */
  ping(): Promise<void>;
}
