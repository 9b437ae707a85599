import type { ChosenFile, ChosenFolder } from '../../platform/chosen-files.ts';
import type { Answer } from '../answer.ts';
import type { OnProgress } from '../watch.ts';

/** What a run was started with, as far as the browser keeps a way to it outside its own storage. */
export interface HandoverFiles {
  /** undefined: only its quantized copy is kept. */
  base: ChosenFolder | undefined;
  /** undefined: there is none, or another run of this browser made it. */
  source: ChosenFolder | undefined;
  train: ChosenFile;
  validation: ChosenFile | undefined;
}

/** Where training on a cluster begins: at the run's own source, or at what the run has made of it so far. */
export type HandoverStart = 'source' | 'latest';

/** A run for a cluster, as `retune handover` writes it. */
export interface HandoverApi {
  handoverFiles(run: string): Promise<Answer<HandoverFiles>>;
  /** A zip with one folder in it. */
  handOver(
    run: string,
    files: HandoverFiles,
    start: HandoverStart,
    onProgress?: OnProgress,
    signal?: AbortSignal,
  ): Promise<Answer<Blob>>;
}
