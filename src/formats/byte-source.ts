/** A readable sequence of bytes: a `File` slice in the page, positioned reads in Node, an array in tests. */
export interface ByteSource {
  /** File name or path as the user knows it, for error messages. */
  readonly name: string;
  /** Length in bytes. */
  readonly size: number;
  /** Modification time in milliseconds since 1970, if known. */
  readonly modified?: number | undefined;
  /** Fills `into` with the bytes [begin, begin + into.length). Throws UserError if the source ends before that. */
  read(begin: number, into: Uint8Array): Promise<void>;
}

/** A flat directory of byte sources: a model folder or an adapter folder. */
export interface Folder {
  /** Path or name as the user knows it. */
  readonly name: string;
  /** For a cached base without its weights: what its files were when it was cached. */
  readonly known?: { readonly tied?: boolean | undefined } | undefined;
  /** Plain file names, sorted. */
  list(): Promise<string[]>;
  /** The file of that name; undefined if there is none. */
  open(file: string): Promise<ByteSource | undefined>;
  /** Nearby folders that hold a file of that name, if this can be determined. */
  near?(file: string): Promise<NearFolders>;
}

/** Folders one level away. */
export interface NearFolders {
  /** Folders in it, as paths relative to it. */
  below: readonly string[];
  /** Its parent folder. */
  above?: string | undefined;
  /** Whether links in it do not show, as in a browser. */
  hidesLinks?: boolean | undefined;
}

/** All bytes of a (small) source. */
export async function readAll(source: ByteSource): Promise<Uint8Array> {
  const bytes = new Uint8Array(source.size);
  await source.read(0, bytes);
  return bytes;
}

/** Those of the named files that the folder has. */
export async function openThose(folder: Folder, names: readonly string[]): Promise<ByteSource[]> {
  const files = await Promise.all(names.map((name) => folder.open(name)));
  return files.filter((file) => file !== undefined);
}

/** A source over bytes in memory. */
export function bytesSource(name: string, bytes: Uint8Array): ByteSource {
  return {
    name,
    size: bytes.length,
    read: (begin, into) => {
      into.set(bytes.subarray(begin, begin + into.length));
      return Promise.resolve();
    },
  };
}
