// References: Apache Parquet, Compression.md; RFC 8878 (Zstandard).
import { decompressPage } from 'hyparquet/src/datapage.js';
import { inflate } from '../inflate.ts';
import { UserError } from '../user-error.ts';
import { unpackFramedLz4, unpackLz4 } from './lz4.ts';
import { Malformed } from './thrift-bounds.ts';

type Page = Uint8Array<ArrayBuffer>;
type Unpack = (packed: Page, size: number, file: string) => Page | Promise<Page>;

/** By the name of the codec: unpacks a page of `size` bytes, and no more than that. Throws Malformed or UserError. */
const CODECS: ReadonlyMap<string | undefined, Unpack> = new Map<string, Unpack>([
  ['UNCOMPRESSED', (packed, size) => decompressPage(packed, size, 'UNCOMPRESSED', undefined) as Page],
  ['SNAPPY', (packed, size) => decompressPage(packed, size, 'SNAPPY', undefined) as Page],
  ['GZIP', unpackGzip],
  ['ZSTD', unpackZstd],
  ['LZ4', unpackFramedLz4],
  ['LZ4_RAW', unpackLz4],
]);

/** How to unpack pages of a codec. Throws UserError for one that is not read. */
export function unpackerOf(codec: string | undefined, file: string): Unpack {
  const unpack = CODECS.get(codec);
  if (!unpack) {
    throw new UserError(
      `${file}: its columns are packed with ${String(codec ?? 'what no one uses')}, expected Snappy, gzip, Zstandard, LZ4 or none; write it with compression="snappy" (pandas, pyarrow, polars).`,
    );
  }
  return unpack;
}

async function unpackGzip(packed: Page, size: number, file: string): Promise<Page> {
  const page = new Uint8Array(size);
  let at = 0;
  const damaged = () => new UserError(`${file}: a page is damaged; copy the file again.`);
  for await (const piece of inflate(once(packed), 'gzip', damaged)) {
    if (at + piece.length > size) {
      throw new Malformed('a page is larger than it says');
    }
    page.set(piece, at);
    at += piece.length;
  }
  return checked(page, at, size);
}

/** Loaded with the first page that needs it. */
let zstandard:
  Promise<{ reset(): void; decompressChunk(packed: Page, most: number): Uint8Array }> | undefined;

async function unpackZstd(packed: Page, size: number): Promise<Page> {
  zstandard ??= import('@hpcc-js/wasm-zstd').then(({ Zstd }) => Zstd.load());
  const zstd = await zstandard;
  zstd.reset();
  // It ends early where it finds an error, and where there is more, with the byte that is one too many.
  const page = zstd.decompressChunk(packed, size + 1);
  return checked(new Uint8Array(page), page.length, size);
}

function checked(page: Page, found: number, size: number): Page {
  if (found !== size) {
    throw new Malformed(`a page is ${found < size ? 'smaller' : 'larger'} than it says, or damaged`);
  }
  return page;
}

async function* once(bytes: Page): AsyncGenerator<Page> {
  yield bytes;
}
