/** A readable run of bytes: a `File` slice in the page, positioned reads in Node, an array in tests. */
export interface ByteSource {
  /** File name or path as the user would recognise it; used in error messages. */
  readonly name: string;
  /** Length in bytes. */
  readonly size: number;
  /** When it was last changed, in milliseconds since 1970, where that is known: whoever changes it changes this. */
  readonly modified?: number | undefined;
  /** Fills `into` with the bytes [begin, begin + into.length). Throws UserError if the source ends before that. */
  read(begin: number, into: Uint8Array): Promise<void>;
}

/** A flat directory of byte sources: a model folder or an adapter folder. */
export interface Folder {
  /** Path or name as the user would recognise it. */
  readonly name: string;
  /** Of a base whose weights are not at hand: what was found when they were. */
  readonly known?: { readonly tied?: boolean | undefined } | undefined;
  /** Plain file names, sorted. */
  list(): Promise<string[]>;
  /** The file of that name, or undefined where there is none. */
  open(file: string): Promise<ByteSource | undefined>;
  /** The folders near this one that hold a file of that name, where that can be told. */
  near?(file: string): Promise<NearFolders>;
}

/** Folders a level away from one. */
export interface NearFolders {
  /** Those below it, as paths from it. */
  below: readonly string[];
  /** The one that it lies in. */
  above?: string | undefined;
}

/** All bytes of a (small) source. */
export async function readAll(source: ByteSource): Promise<Uint8Array> {
  const bytes = new Uint8Array(source.size);
  await source.read(0, bytes);
  return bytes;
}

/** Those files of a folder that are there. */
export async function openThose(folder: Folder, names: readonly string[]): Promise<ByteSource[]> {
  const files = await Promise.all(names.map((name) => folder.open(name)));
  return files.filter((file) => file !== undefined);
}

/** A source over bytes already in memory. */
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
