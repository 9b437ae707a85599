import { type BaseModel, openBaseModel } from '../../../formats/base-model.ts';
import { type ByteSource, type Folder, readAll } from '../../../formats/byte-source.ts';
import { readJson } from '../../../formats/json.ts';
import { UserError } from '../../../formats/user-error.ts';
import { encodeUtf8 } from '../../../formats/utf8.ts';
import { plainName } from './fingerprint.ts';

/** One read of a file, and the offset of its bytes in the snapshot. */
interface Read {
  begin: number;
  length: number;
  at: number;
}
type Index = Record<string, { size: number; reads: Read[] }>;

const INDEX_FILE = 'skeleton.json';
const BYTES_FILE = 'skeleton.bin';

/** Records what opening a base reads of its weight files, mainly headers, so that it can be opened without them. */
export async function takeHeaderSnapshot({
  folder,
  config,
  weightFiles,
}: BaseModel): Promise<Record<string, Uint8Array<ArrayBuffer>[]>> {
  const large = new Set(weightFiles.map(({ name }) => plainName(name)));
  const index: Index = {};
  const kept: Uint8Array<ArrayBuffer>[] = [];
  let end = 0;
  await openBaseModel({
    name: folder.name,
    // Its tables were already compared when it was opened.
    known: { tied: config.tied },
    list: () => folder.list(),
    open: async (file) => {
      const source = await folder.open(file);
      if (!source || !large.has(file)) {
        return source;
      }
      const reads: Read[] = [];
      index[file] = { size: source.size, reads };
      return {
        ...source,
        read: async (begin, into) => {
          await source.read(begin, into);
          reads.push({ begin, length: into.length, at: end });
          kept.push(into.slice());
          end += into.length;
        },
      } satisfies ByteSource;
    },
  });
  return { [INDEX_FILE]: [encodeUtf8(JSON.stringify(index))], [BYTES_FILE]: kept };
}

/**
 * Opens a base's files from what `takeHeaderSnapshot` stored in `folder`: they can be opened, but their weights
 * cannot be read. Throws UserError if the snapshot is incomplete.
 */
export async function openHeaderSnapshot(
  folder: Folder,
  base: string,
): Promise<(file: string) => ByteSource | undefined> {
  const [indexFile, bytesFile] = [await folder.open(INDEX_FILE), await folder.open(BYTES_FILE)];
  if (!indexFile || !bytesFile) {
    throw new UserError(
      `${folder.name}: ${INDEX_FILE} or ${BYTES_FILE} is missing; delete this base from the cache.`,
    );
  }
  const index = (await readJson(indexFile)) as Index;
  const bytes = await readAll(bytesFile);
  return (file) => {
    const part = Object.hasOwn(index, file) ? index[file] : undefined;
    if (!part) {
      return undefined;
    }
    const name = `${base}/${file}`;
    return {
      name,
      size: part.size,
      read: async (begin, into) => {
        const kept = part.reads.find((read) => read.begin === begin && read.length === into.length);
        if (!kept) {
          throw new UserError(
            `${name}: only its headers are in the cache, and its weights are needed; choose the base's folder again.`,
          );
        }
        into.set(bytes.subarray(kept.at, kept.at + kept.length));
      },
    };
  };
}
