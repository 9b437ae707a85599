import type { Answer } from './answer.ts';
import type { EngineApi } from './protocol/protocol.ts';
import type { ReadArchive } from './runs/read-archive.ts';
import type { OnProgress } from './watch.ts';

/** The calls of EngineApi that ReaderApi answers. */
export const READS = [
  'inspectBase',
  'inspectAdapter',
  'openAdapterZip',
  'inspectRows',
  'columnNames',
  'hashRows',
  'surveyRows',
  'showRows',
  'findRows',
  'exportRows',
  'exportTokens',
  'inspectQuestions',
  'promptsIn',
  'parseRecipe',
  'plan',
  'exportRun',
  'exportCheckpoint',
  'exportTaken',
  'exportRunInto',
  'archiveRun',
  'exportSizes',
  'exportAdapterInto',
  'exportAdapterFile',
  'handOver',
  'prepareCorrections',
] as const satisfies (keyof EngineApi)[];

/**
 * The worker that reads foreign files: it holds no state and writes nothing into the browser's database, so that it
 * can be terminated at any point.
 */
export interface ReaderApi extends Pick<EngineApi, (typeof READS)[number]> {
  /** The validated run of an archive. */
  readArchive(file: File, onProgress?: OnProgress, signal?: AbortSignal): Promise<Answer<ReadArchive>>;
}

/** The worker that owns the GPU and the browser's database. */
export interface KeeperApi extends Omit<
  EngineApi,
  (typeof READS)[number] | 'importRun' | 'responds' | 'restart'
> {
  /** Stores the run of an archive in the browser, whole or not at all. */
  keepArchive(archive: ReadArchive): Promise<Answer<{ id: string; name: string }>>;
  /** Answers at once. */
  ping(): Promise<void>;
}
