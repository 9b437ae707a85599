import type { RowChanges } from '../formats/row-changes.ts';

/** A folder that the user chose, as plain files: passing it to the worker is cheap, because files stay on disk. */
export interface ChosenFolder {
  name: string;
  /** Files directly in it: model and adapter folders are flat. */
  files: readonly File[];
  /** Files of a folder in it that belong to a model. */
  nested?: readonly NestedFile[] | undefined;
  /** For a folder that is no model: files in nested folders that identify one, by path from it. */
  below?: readonly string[] | undefined;
  /** Stored if the browser provides handles, so that a reload can ask for the same folder with one click. */
  handle?: FileSystemDirectoryHandle | undefined;
  /**
   * For what this browser keeps, with no files: the run whose result, or whose checkpoint of `step`, an adapter is, or
   * whose base a base is.
   */
  run?: string | undefined;
  step?: number | undefined;
}

/** A file in a nested folder, by its path from the chosen one. */
export interface NestedFile {
  path: string;
  file: File;
}

/** A single file that the user chose. */
export interface ChosenFile {
  file: File;
  handle?: FileSystemFileHandle | undefined;
  /** For rows: the column that is read as each key, if the user said so. */
  columns?: Readonly<Record<string, string>> | undefined;
  /** For rows: the changes over the file. */
  changes?: RowChanges | undefined;
}
