import type { Folder } from '../../formats/byte-source.ts';
import { UserError } from '../../formats/user-error.ts';

/** Files by name, each as the chunks that follow one another. */
export type Files = Readonly<Record<string, readonly Uint8Array[]>>;

/** What was to be stored could not be. A checkpoint on the way can be done without: the run goes on. */
export class StorageError extends UserError {
  /** What happened, without what becomes of the run. */
  readonly happened: string;

  /** `then`: what to do once that is mended, such as "try again". */
  constructor(happened: string, remedy = '', then = '') {
    super(`${happened}${remedy && `; ${remedy}`}${then && `, then ${then}`}.`);
    this.happened = happened;
  }
}

/** There was no room for it; `happened` also says what to do about that. */
export class StorageFullError extends StorageError {}

/** Where a run's checkpoints and its result live: a folder on disk, or the browser's database. */
export interface RunStore {
  /** As the user would recognise it. */
  readonly name: string;
  /** What messages advise where none of its checkpoints is sound. */
  readonly startAgain: string;
  /** Steps of the checkpoints that are there, ascending. */
  checkpoints(): Promise<number[]>;
  /** The files of one checkpoint. */
  openCheckpoint(step: number): Promise<Folder>;
  /** What messages call a checkpoint. */
  checkpointName(step: number): string;
  /**
   * Writes a checkpoint whole or not at all, also when the process dies on the way. One that is a `rescue` stays only
   * until the next is written. Throws UserError when full.
   */
  saveCheckpoint(step: number, files: Files, rescue?: boolean): Promise<void>;
  removeCheckpoint(step: number): Promise<void>;
  /** The finished run's files. */
  openResult(): Promise<Folder>;
  /** Writes the finished run's files, `last` after all others: where it stands, everything does. */
  saveResult(files: Files, last: string): Promise<void>;
  /** Takes that last file away, so that what is there no longer counts as finished. */
  unfinish(last: string): Promise<void>;
  /** Replaces one file of the run's logs. */
  writeLog(file: string, bytes: Uint8Array): Promise<void>;
  /** Removes the files of the run's logs that have such names. */
  removeLogs(ours: RegExp): Promise<void>;
}

/** Text as the contents of a file. */
export function textFile(text: string): Uint8Array[] {
  return [new TextEncoder().encode(text)];
}
