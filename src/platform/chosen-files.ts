/** A folder that the user chose, as plain files: what crosses to the worker costs nothing, since files stay on disk. */
export interface ChosenFolder {
  name: string;
  files: readonly File[];
  /** Kept where the browser gives handles, so that a reload can ask for the same folder with one click. */
  handle?: FileSystemDirectoryHandle | undefined;
  /** The run, with no files, for an adapter that this browser keeps: the run's result, or its checkpoint of `step`. */
  run?: string | undefined;
  step?: number | undefined;
}

/** A single file that the user chose. */
export interface ChosenFile {
  file: File;
  handle?: FileSystemFileHandle | undefined;
}
