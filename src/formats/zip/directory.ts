import { blobSource } from '../blob-source.ts';
import type { UserError } from '../user-error.ts';
import { decodeUtf8 } from '../utf8.ts';

// APPNOTE.TXT of PKWARE, 4.3: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
const END = 0x06054b50;
const ENTRY = 0x02014b50;
const END_BYTES = 22;
const ENTRY_BYTES = 46;
/** Bytes of a local header but for the path and what follows it. */
export const LOCAL_BYTES = 30;
const MAX_COMMENT = 0xffff;
/** In these fields it says that the value stands elsewhere, in a zip of the kind for more than 4 GiB. */
const [ELSEWHERE_16, ELSEWHERE_32] = [0xffff, 0xffffffff];
/** How a file is packed. */
export const [STORED, DEFLATED] = [0, 8] as const;
const ENCRYPTED = 1;
/** Deflate makes nothing smaller than by this factor: https://zlib.net/zlib_tech.html */
const MAX_DEFLATE_RATIO = 1032;
/** What to do where a zip cannot be read any more. */
export const AGAIN = 'it was changed or moved since it was chosen, so choose it again';

/** What a zip may hold. */
export interface ZipLimits {
  /** Files and folders. */
  entries: number;
  /** Bytes of a path. */
  path: number;
  /** Bytes of all files unpacked. */
  bytes: number;
}

/** What the directory says of a file, and where the next one begins. */
export interface ListedFile {
  path: string;
  name: Uint8Array;
  method: number;
  crc: number;
  packed: number;
  size: number;
  /** Where its local header begins, and where what follows it does. */
  local: number;
  end: number;
  /** Bytes of its entry in the directory. */
  bytes: number;
}

/** Makes the message about a damaged zip. */
export type Broken = (what: string) => UserError;

/**
 * What the directory of a zip lists: files under names of their own, which lie beside one another and keep within
 * `limits`. Nothing else of it is read. Throws `broken`.
 */
export async function readDirectory(file: File, limits: ZipLimits, broken: Broken): Promise<ListedFile[]> {
  const { count, size, begin } = await readEnd(file, broken);
  if (count > limits.entries) {
    throw broken(`it holds ${count} files, more than the ${limits.entries} that are read`);
  }
  if (size > limits.entries * (ENTRY_BYTES + 2 * limits.path)) {
    throw broken('its directory is too large');
  }
  const directory = await readView(file, begin, begin + size);
  const listed: ListedFile[] = [];
  let at = 0;
  for (let n = 0; n < count; n++) {
    const entry = readEntry(directory, at, limits, broken);
    at += entry.bytes;
    listed.push(entry);
  }
  if (at !== size) {
    throw broken('its directory is damaged');
  }
  checkApart(listed, begin, broken);
  const files = listed.filter(({ path }) => !path.endsWith('/'));
  const twice = firstTwice(files.map(({ path }) => path));
  if (twice !== undefined) {
    throw broken(`it holds ${twice} twice`);
  }
  if (files.reduce((sum, entry) => sum + entry.size, 0) > limits.bytes) {
    throw broken(`its files take more than ${limits.bytes / 1e9} GB unpacked`);
  }
  return files;
}

/** Where the directory is, by the record at the zip's end. */
async function readEnd(file: File, broken: Broken): Promise<{ count: number; size: number; begin: number }> {
  const tailAt = Math.max(0, file.size - END_BYTES - MAX_COMMENT);
  const tail = await readView(file, tailAt, file.size);
  let end = tail.byteLength - END_BYTES;
  const isEnd = () =>
    tail.getUint32(end, true) === END && end + END_BYTES + tail.getUint16(end + 20, true) === tail.byteLength;
  while (end >= 0 && !isEnd()) {
    end--;
  }
  if (end < 0) {
    throw broken('this is not a zip file, or its end is missing');
  }
  const count = tail.getUint16(end + 10, true);
  const [size, begin] = [tail.getUint32(end + 12, true), tail.getUint32(end + 16, true)];
  if (count === ELSEWHERE_16 || begin === ELSEWHERE_32) {
    throw broken('it is a zip of the kind for more than 4 GiB');
  }
  if (begin + size > tailAt + end) {
    throw broken('its directory does not fit into it, so it is cut or damaged');
  }
  return { count, size, begin };
}

function readEntry(
  directory: DataView<ArrayBuffer>,
  at: number,
  limits: ZipLimits,
  broken: Broken,
): ListedFile {
  const fits = at + ENTRY_BYTES <= directory.byteLength;
  if (!fits || directory.getUint32(at, true) !== ENTRY) {
    throw broken('its directory is damaged');
  }
  const u16 = (offset: number) => directory.getUint16(at + offset, true);
  const u32 = (offset: number) => directory.getUint32(at + offset, true);
  const bytes = ENTRY_BYTES + u16(28) + u16(30) + u16(32);
  if (at + bytes > directory.byteLength) {
    throw broken('its directory is damaged');
  }
  if (u16(28) > limits.path) {
    throw broken(`a path in it is longer than ${limits.path} bytes`);
  }
  const name = new Uint8Array(directory.buffer, at + ENTRY_BYTES, u16(28));
  const path = decodeUtf8(name);
  if (path === undefined) {
    throw broken('a path in it is not valid UTF-8');
  }
  const [method, packed, size] = [u16(10), u32(20), u32(24)];
  if (u16(8) & ENCRYPTED || (method !== STORED && method !== DEFLATED)) {
    throw broken(`${path} in it is encrypted, or packed in another way than zip's usual one`);
  }
  const possible = method === STORED ? size === packed : size <= MAX_DEFLATE_RATIO * packed;
  if (!possible || (path.endsWith('/') && size > 0)) {
    throw broken(`${path} in it is damaged`);
  }
  return { path, name, method, crc: u32(16), packed, size, local: u32(42), end: 0, bytes };
}

/** Sets the end of each entry to where the next begins. Throws where two could share bytes, as a zip bomb's do. */
function checkApart(listed: readonly ListedFile[], begin: number, broken: Broken): void {
  const inOrder = listed.toSorted((a, b) => a.local - b.local);
  inOrder.forEach((entry, i) => {
    entry.end = inOrder[i + 1]?.local ?? begin;
    if (entry.local + LOCAL_BYTES + entry.name.length + entry.packed > entry.end) {
      throw broken(`${entry.path} in it is cut off, or overlaps with another file`);
    }
  });
}

function firstTwice(paths: readonly string[]): string | undefined {
  const seen = new Set<string>();
  return paths.find((path) => seen.size === seen.add(path).size);
}

/** Those bytes of the zip. Throws UserError where it cannot be read any more. */
export async function readView(file: File, begin: number, end: number): Promise<DataView<ArrayBuffer>> {
  const bytes = new Uint8Array(end - begin);
  await blobSource(file.name, file, AGAIN).read(begin, bytes);
  return new DataView(bytes.buffer);
}
