import { join } from 'node:path';
import type { TakenFrom } from '../run/take.ts';
import { checkpointsIn } from './folder-store.ts';
import { nodeFolder } from './node-files.ts';

/** The output folder of a run, to read only: unlike a FolderStore it takes no lock and clears nothing up. */
export function runFolder(path: string): TakenFrom {
  return {
    name: path,
    checkpoints: () => checkpointsIn(path),
    openCheckpoint: (step) => nodeFolder(join(path, `checkpoint-${step}`)),
    openResult: () => nodeFolder(path),
  };
}
