import { blobSource } from '../formats/blob-source.ts';
import { ggufError, isAdapterConfig, recognizeFiles } from '../formats/recognize-files.ts';
import type { ChosenFolder, NestedFile } from './chosen-files.ts';
import { type Place, placeOfHandle } from './places.ts';

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
const GGUF = /\.gguf$/i;
/** Beside Ollama's blobs. */
const OLLAMA_MANIFESTS = 'manifests';
/** How deep GGUF files are searched, and in how many folders at most. */
const GGUF_LEVELS = 3;
const MAX_GGUF_LOOKED = 60;
/** Maximum folders searched, and files taken from one. */
const MAX_LOOKED = 200;
const MAX_TEMPLATES = 100;
/** A larger file is not looked at where an adapter's configuration is searched. */
const MAX_CONFIG_BYTES = 2 ** 16;

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
  if (below.length === 0) {
    const gguf = await ggufBelow(name, folders);
    if (gguf !== undefined) {
      throw ggufError(gguf);
    }
    return own;
  }
  return { ...own, below, folders };
}

/**
 * The path of a GGUF file in nested folders, as LM Studio (publisher/model/file.gguf) keeps it, or of the blobs that
 * Ollama keeps it in; undefined where there is none.
 */
async function ggufBelow(name: string, folders: Folders): Promise<string | undefined> {
  const places: (readonly [path: string, place: Place, depth: number])[] = [...folders]
    .slice(0, MAX_GGUF_LOOKED)
    .map(([inner, place]) => [`${name}/${inner}`, place, 1] as const);
  for (const [path, place, depth] of places) {
    const found = (await place.files()).find((file) => GGUF.test(file.name));
    if (found) {
      return `${path}/${found.name}`;
    }
    const inner = await place.folders();
    if (inner.has(BLOBS) && inner.has(OLLAMA_MANIFESTS)) {
      return `${path}/${BLOBS}`;
    }
    if (depth < GGUF_LEVELS) {
      const below = [...inner].map(([one, place]) => [`${path}/${one}`, place, depth + 1] as const);
      places.push(...below.slice(0, Math.max(0, MAX_GGUF_LOOKED - places.length)));
    }
  }
  return undefined;
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
  return folderAt(placeOfHandle(handle), handle.name);
}
