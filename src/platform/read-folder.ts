import { blobSource } from '../formats/blob-source.ts';
import { isAdapterConfig, recognizeFiles } from '../formats/recognize-files.ts';
import type { ChosenFolder, NestedFile } from './chosen-files.ts';

/** The only folder inside a model's whose files count. */
const TEMPLATES = 'additional_chat_templates';
const TEMPLATE = /\.jinja$/;
/** Where Hugging Face's cache keeps a model's folders. */
const SNAPSHOTS = 'snapshots';
/** Where it keeps their files, named by hash. */
const BLOBS = 'blobs';
/** Files that identify a base model's or an adapter's folder. */
const MODEL_MARK = 'config.json';
const ADAPTER_MARK = 'adapter_config.json';
const MARKS = [MODEL_MARK, ADAPTER_MARK];
/** A folder with one of them is a model's, or what is left of one. */
const MODEL_FILE = /^(?:adapter_)?config\.json$|\.safetensors$/;
/** What that cache calls a model's folder. */
const CACHED_MODEL = /^models--/;
/** Maximum folders searched, and files taken from one. */
const MAX_LOOKED = 200;
const MAX_TEMPLATES = 100;
/** A larger file is not looked at where an adapter's configuration is searched. */
const MAX_CONFIG_BYTES = 2 ** 16;

/** A folder from the browser's handles, drops or inputs. */
export interface Place {
  files(): Promise<File[]>;
  folders(): Promise<Map<string, Place>>;
  has(file: string): Promise<boolean>;
  handle?: FileSystemDirectoryHandle;
}

type Folders = ReadonlyMap<string, Place>;

/** What is chosen with a folder; `path` leads from it to the only model in it, where that was taken. */
type Contents = Pick<ChosenFolder, 'files' | 'nested' | 'below' | 'handle'> & {
  path?: string;
  /** Those of a folder with several models. */
  folders?: Folders;
};

/** The folders in chosen ones that hold several models: the worker, which gets what was chosen, needs none of them. */
const foldersIn = new WeakMap<ChosenFolder, Folders>();

/**
 * The files that are chosen with a folder. Of one that holds a single model, and of Hugging Face's cache, they are
 * that model's. Throws UserError for a cache that does not show which files are a model's.
 */
async function contentsOf(place: Place, name: string, levels = 2): Promise<Contents> {
  const files = await place.files();
  const folders = await place.folders();
  const own: Contents = { files, ...(await templatesIn(folders)) };
  if (files.some((file) => MODEL_FILE.test(file.name)) || levels < 0) {
    return own;
  }
  const below = await marksBelow(folders);
  const [only, ...others] = new Set(below.map((path) => path.slice(0, path.lastIndexOf('/'))));
  if (only !== undefined && others.length === 0) {
    const place = await placeAt(folders, only);
    const inner = await contentsOf(place, `${name}/${only}`, levels - 1);
    const path = inner.path === undefined ? only : `${only}/${inner.path}`;
    return { handle: place.handle, ...inner, path };
  }
  const blobs = only === undefined ? await folders.get(BLOBS)?.files() : undefined;
  if (blobs && blobs.length > 0) {
    return { files: await modelOfBlobs(name, blobs) };
  }
  return { ...own, ...(below.length > 0 && { below, folders }) };
}

async function templatesIn(folders: Folders): Promise<Pick<ChosenFolder, 'nested'>> {
  const templates = (await folders.get(TEMPLATES)?.files()) ?? [];
  const nested = templates
    .filter(({ name }) => TEMPLATE.test(name))
    .slice(0, MAX_TEMPLATES)
    .map((file): NestedFile => ({ path: `${TEMPLATES}/${file.name}`, file }));
  return nested.length > 0 ? { nested } : {};
}

/** Chrome hands over no links, of which the snapshots of the cache consist: the files behind them, under their names. */
async function modelOfBlobs(name: string, blobs: readonly File[]): Promise<File[]> {
  const sources = blobs.map((file) => ({
    ...blobSource(file.name, file, 'choose the folder again'),
    file,
  }));
  const found = await recognizeFiles(name, sources);
  return found.map(({ name, file: { file } }) => new File([file], name, { lastModified: file.lastModified }));
}

async function placeAt(folders: Folders, path: string): Promise<Place> {
  const [first, second] = path.split('/');
  const place = folders.get(first!)!;
  return second === undefined ? place : (await place.folders()).get(second)!;
}

/** By name, and checkpoint-20 before checkpoint-100. */
const { compare } = new Intl.Collator('en', { numeric: true });

/** Paths of the files in nested folders that identify a model or an adapter. */
async function marksBelow(folders: Folders): Promise<string[]> {
  const snapshots = (await folders.get(SNAPSHOTS)?.folders()) ?? new Map<string, Place>();
  const places = [
    ...folders,
    ...[...snapshots].map(([name, place]) => [`${SNAPSHOTS}/${name}`, place] as const),
  ].toSorted(([a], [b]) => compare(a, b));
  const marks: string[] = [];
  for (const [name, place] of places.slice(0, MAX_LOOKED)) {
    const own = CACHED_MODEL.test(name) ? await marksOfCached(place) : await marksOf(place);
    marks.push(...own.map((mark) => `${name}/${mark}`));
  }
  return marks;
}

async function marksOf(place: Place): Promise<string[]> {
  const has = await Promise.all(MARKS.map((mark) => place.has(mark)));
  return MARKS.filter((_, i) => has[i]);
}

/** The same of a model's folder in Hugging Face's cache, whose files may be hidden behind links. */
async function marksOfCached(place: Place): Promise<string[]> {
  const folders = await place.folders();
  for (const snapshot of (await folders.get(SNAPSHOTS)?.folders())?.values() ?? []) {
    const marks = await marksOf(snapshot);
    if (marks.length > 0) {
      return marks;
    }
  }
  for (const blob of (await folders.get(BLOBS)?.files()) ?? []) {
    if (blob.size <= MAX_CONFIG_BYTES && isAdapterConfig(await blob.text())) {
      return [ADAPTER_MARK];
    }
  }
  return [MODEL_MARK];
}

/** A folder with its contents, under the path of what was taken of it. */
export async function folderAt(place: Place, name: string): Promise<ChosenFolder> {
  const { path, folders, handle = place.handle, ...contents } = await contentsOf(place, name);
  const folder = { name: path === undefined ? name : `${name}/${path}`, handle, ...contents };
  if (folders) {
    foldersIn.set(folder, folders);
  }
  return folder;
}

/** The folders in a chosen one, itself no model, that hold the file `mark`, as paths from it. */
export const foldersWith = ({ below = [] }: Pick<ChosenFolder, 'below'>, mark: string): string[] =>
  below.filter((path) => path.endsWith(`/${mark}`)).map((path) => path.slice(0, -mark.length - 1));

/** One of those folders. */
export async function folderWithin(chosen: ChosenFolder, path: string): Promise<ChosenFolder> {
  return folderAt(await placeAt(foldersIn.get(chosen)!, path), `${chosen.name}/${path}`);
}

/** The files behind a folder's handle. */
export async function readFolder(handle: FileSystemDirectoryHandle): Promise<ChosenFolder> {
  return folderAt(placeOf(handle), handle.name);
}

function placeOf(handle: FileSystemDirectoryHandle): Place {
  return {
    handle,
    async files() {
      const files: File[] = [];
      for await (const entry of handle.values()) {
        if (entry.kind === 'file') {
          files.push(await (entry as FileSystemFileHandle).getFile());
        }
      }
      return files;
    },
    async folders() {
      const folders = new Map<string, Place>();
      for await (const entry of handle.values()) {
        if (entry.kind === 'directory') {
          folders.set(entry.name, placeOf(entry as FileSystemDirectoryHandle));
        }
      }
      return folders;
    },
    has: (file) =>
      handle.getFileHandle(file).then(
        () => true,
        () => false,
      ),
  };
}

/** A folder whose files are known by path, as an <input webkitdirectory> lists them: "folder/inner/file". */
export function placeOfPaths(files: readonly (readonly [path: string, file: File])[]): Place {
  const own: File[] = [];
  const inner = new Map<string, (readonly [path: string, file: File])[]>();
  for (const [path, file] of files) {
    const cut = path.indexOf('/');
    if (cut < 0) {
      own.push(file);
      continue;
    }
    const name = path.slice(0, cut);
    const entry = [path.slice(cut + 1), file] as const;
    const before = inner.get(name);
    if (before) {
      before.push(entry);
    } else {
      inner.set(name, [entry]);
    }
  }
  return {
    files: async () => own,
    folders: async () => new Map([...inner].map(([name, entries]) => [name, placeOfPaths(entries)])),
    has: async (name) => own.some((file) => file.name === name),
  };
}

/** A dropped folder, if the browser provides no handles. */
export function placeOfEntry(directory: FileSystemDirectoryEntry): Place {
  const entries = async (): Promise<FileSystemEntry[]> => {
    const reader = directory.createReader();
    const all: FileSystemEntry[] = [];
    for (;;) {
      // A reader returns its entries in batches and ends with an empty one.
      const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
        reader.readEntries(resolve, reject),
      );
      if (some.length === 0) {
        return all;
      }
      all.push(...some);
    }
  };
  return {
    async files() {
      const own = (await entries()).filter((entry) => entry.isFile) as FileSystemFileEntry[];
      return Promise.all(
        own.map((entry) => new Promise<File>((resolve, reject) => entry.file(resolve, reject))),
      );
    },
    async folders() {
      const own = (await entries()).filter((entry) => entry.isDirectory) as FileSystemDirectoryEntry[];
      return new Map(own.map((entry) => [entry.name, placeOfEntry(entry)]));
    },
    has: (file) =>
      new Promise((resolve) =>
        directory.getFile(
          file,
          {},
          () => resolve(true),
          () => resolve(false),
        ),
      ),
  };
}
