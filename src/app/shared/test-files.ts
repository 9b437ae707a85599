import type { TestFiles, TestRecord } from '../../engine/protocol/comparison.ts';
import type { RunRecord } from '../../engine/protocol/protocol.ts';
import { isDemoBase } from './demo.ts';

/** A file or folder that must be chosen again before a test goes on. */
export interface MissingFile {
  what: 'base' | 'validation' | 'folder';
  /** What it was called. */
  name: string;
  /** Index of the version whose folder it is. */
  folder?: number | undefined;
}

/** Files for which the browser has no handle and that were not chosen again; with `demo`, the demo's files are never missing. */
export function missingFiles(
  { base, baseRun, baseKept, validationFile, versions, handles }: TestRecord,
  runs: readonly RunRecord[],
  again: TestFiles,
  demo = true,
): MissingFile[] {
  const ofRun = runs.find(({ id }) => id === baseRun)?.handles;
  const bundled = demo && isDemoBase(base);
  const missing: MissingFile[] = [];
  if (!baseKept && !handles.base && !ofRun?.base && !again.base && !bundled) {
    missing.push({ what: 'base', name: base });
  }
  if (validationFile && !handles.validation && !ofRun?.validation && !again.validation && !bundled) {
    missing.push({ what: 'validation', name: validationFile });
  }
  versions.forEach(({ kind, folder, state }, i) => {
    if (kind !== 'folder' || state !== 'waiting' || handles.folders[i] || again.folders?.[i]) {
      return;
    }
    if (!(bundled && folder === 'demo/v1')) {
      missing.push({ what: 'folder', name: folder ?? 'the adapter', folder: i });
    }
  });
  return missing;
}
