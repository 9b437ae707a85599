/** A folder that the user chose, as plain files: what crosses to the worker costs nothing, since files stay on disk. */
export interface ChosenFolder {
  name: string;
  /** Those that lie directly in it: model and adapter folders are flat. */
  files: readonly File[];
  /** Those of a folder in it that belong to a model. */
  nested?: readonly NestedFile[] | undefined;
  /** Where it is no model's: files in folders below it that make those one, as paths from it. */
  below?: readonly string[] | undefined;
  /** Kept where the browser gives handles, so that a reload can ask for the same folder with one click. */
  handle?: FileSystemDirectoryHandle | undefined;
  /** The run, with no files, for an adapter that this browser keeps: the run's result, or its checkpoint of `step`. */
  run?: string | undefined;
  step?: number | undefined;
}

/** A file in a folder of a folder, by its path from that. */
export interface NestedFile {
  path: string;
  file: File;
}

/** A single file that the user chose. */
export interface ChosenFile {
  file: File;
  handle?: FileSystemFileHandle | undefined;
}
