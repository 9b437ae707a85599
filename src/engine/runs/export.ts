import type { OutputFile } from '../../export/output-file.ts';
import type { ByteSource, Folder } from '../../formats/byte-source.ts';
import { shorten } from '../../formats/quote.ts';
import { UserError } from '../../formats/user-error.ts';
import { CURSOR } from '../../run/checkpoint/checkpoint.ts';
import { type Take, takeStep } from '../../run/take.ts';
import type { BrowserRunStore } from '../../storage/browser-run-store.ts';
import { partlyWritten } from '../files/partly-written.ts';
import { writeFile, zipFiles } from '../files/write-files.ts';
import { chunksOf, type Following, watchOf } from '../watch.ts';

/** A file to export; `path` is its path in the output. */
export interface ExportFile {
  path: string;
  source: ByteSource;
}

/** A run's output as the command line leaves it: the result, its logs, and the checkpoints if wanted. Throws UserError. */
export async function runFiles(store: BrowserRunStore, checkpoints: boolean): Promise<ExportFile[]> {
  const result = await store.openResult();
  if (!(await result.open(CURSOR))) {
    throw new UserError(
      `${store.name}: this run has not finished; continue it, or download one of its checkpoints.`,
    );
  }
  const files = [...(await filesOf(result, '')), ...(await filesOf(await store.openLogs(), 'logs/'))];
  if (checkpoints) {
    for (const step of await store.checkpoints()) {
      files.push(...(await exportedCheckpoint(store, step)));
    }
  }
  return files;
}

/** One checkpoint in a folder of its own name. Throws UserError where it is gone. */
export async function exportedCheckpoint(store: BrowserRunStore, step: number): Promise<ExportFile[]> {
  const name = store.checkpointName(step);
  const files = await filesOf(await store.openCheckpoint(step), `${name}/`);
  if (files.length === 0) {
    throw new UserError(
      `${name}: this checkpoint is no longer in this browser; later ones have taken its place, so choose one of those.`,
    );
  }
  return files;
}

/** A step of a run as its result. Throws UserError. */
export async function takenFiles(store: BrowserRunStore, take: Take): Promise<ExportFile[]> {
  const { files } = await takeStep(store, take);
  return [...files].map(([path, source]) => ({ path, source }));
}

async function filesOf(folder: Folder, prefix: string): Promise<ExportFile[]> {
  const names = await folder.list();
  const sources = await Promise.all(names.map((name) => folder.open(name)));
  return names.flatMap((name, i) => {
    const source = sources[i];
    return source ? [{ path: prefix + name, source }] : [];
  });
}

/** The files as a zip. */
export const zipped = (
  files: readonly ExportFile[],
  modified: Date,
  following: Following = {},
): Promise<Blob> => zipFiles(files.map(outputOf), modified, watchOf(following, bytesOf(files)));

/** Reports the files to write to a folder, and each once it is complete. */
type OnWritten = (path: string, total: number) => void;

/**
 * Writes the files into a folder of the user's; files of the same names are replaced. Throws UserError, naming the
 * files that were written where not all were.
 */
export async function writeInto(
  folder: FileSystemDirectoryHandle,
  files: readonly ExportFile[],
  following: Following = {},
  onWritten: OnWritten = () => undefined,
): Promise<undefined> {
  const watch = watchOf(following, bytesOf(files));
  const written: string[] = [];
  const broken = (what: string, remedy: string) =>
    new UserError(
      `${shorten(folder.name)}: ${what}, and ${partlyWritten(written, files.length)}; ${remedy}.`,
    );
  try {
    for (const file of files) {
      await writeFile(folder, outputOf(file), watch);
      written.push(file.path);
      onWritten(file.path, files.length);
    }
  } catch (error) {
    if (error instanceof DOMException) {
      throw broken(
        `cannot be written to (${error.message.replace(/\.$/, '') || error.name})`,
        'choose another folder, or download the zip',
      );
    }
    // The caller who canceled it reports that.
    if (error instanceof UserError && error !== following.signal?.reason) {
      throw broken(`not all of it could be written (${error.what})`, 'save it again');
    }
    throw error;
  }
}

const outputOf = ({ path, source }: ExportFile): OutputFile => ({
  path,
  bytes: source.size,
  chunks: () => chunksOf(source),
});

const bytesOf = (files: readonly ExportFile[]): number =>
  files.reduce((sum, { source }) => sum + source.size, 0);
