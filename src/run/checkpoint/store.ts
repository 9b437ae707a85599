import type { Folder } from '../../formats/byte-source.ts';
import { UserError } from '../../formats/user-error.ts';

/** Files by name, each as consecutive chunks. */
export type Files = Readonly<Record<string, readonly Uint8Array[]>>;

/** Something could not be stored. For an intermediate checkpoint the run continues. */
export class StorageError extends UserError {
  /** `then`: what to do once it is fixed, such as "try again". */
  constructor(happened: string, remedy = '', then = '') {
    const next = then && `then ${then}`;
    super(
      remedy
        ? { what: happened, remedy: next ? `${remedy}, ${next}` : remedy }
        : { what: happened, so: next },
    );
  }
}

/** There was no space for it; `what` also says what to do about that. */
export class StorageFullError extends StorageError {}

/** Stores a run's checkpoints and result: a folder on disk, or the browser's database. */
export interface RunStore {
  /** As the user knows it. */
  readonly name: string;
  /** What messages advise if none of its checkpoints is sound. */
  readonly startAgain: string;
  /** Steps of the stored checkpoints, ascending. */
  checkpoints(): Promise<number[]>;
  /** The files of one checkpoint. */
  openCheckpoint(step: number): Promise<Folder>;
  /** The name of a checkpoint in messages. */
  checkpointName(step: number): string;
  /**
   * Writes a checkpoint atomically, even if the process dies meanwhile. A `rescue` checkpoint is kept only until
   * the next is written. Throws StorageError.
   */
  saveCheckpoint(step: number, files: Files, rescue?: boolean): Promise<void>;
  removeCheckpoint(step: number): Promise<void>;
  /** The finished run's files. */
  openResult(): Promise<Folder>;
  /** Writes the finished run's files, `last` after all others: if it is there, all files are. */
  saveResult(files: Files, last: string): Promise<void>;
  /** Removes that last file, so that the stored result no longer counts as finished. */
  unfinish(last: string): Promise<void>;
  /** Replaces one file of the run's logs. */
  writeLog(file: string, bytes: Uint8Array): Promise<void>;
  /** Removes the log files of these names. */
  removeLogs(ours: RegExp): Promise<void>;
}

/** Text as a file's content. */
export function textFile(text: string): Uint8Array[] {
  return [new TextEncoder().encode(text)];
}
