import type { ByteSource } from '../formats/byte-source.ts';
import { chunksOfFile, type FileChunk, withoutStart } from '../formats/chunks.ts';
import { foreignFile, START_BYTES } from '../formats/foreign-file.ts';
import { gunzip, isGzip } from '../formats/gunzip.ts';
import { isParquet } from '../formats/parquet/footer.ts';
import { parquetRows } from '../formats/parquet/rows.ts';
import { isColumnName } from './columns.ts';
import { dialectOf, firstRecord, tableRows } from './csv.ts';
import { listWithin } from './list-within.ts';
import { type ByteRange, items, lines, type OpenedText } from './row-byte-ranges.ts';
import type { JsonMap } from './row-fields.ts';
import { asUtf8 } from './utf16.ts';

/** A row of a table; `line`, `place`, `bytesRead` and `unit` as of a RawRow. */
interface TablePiece {
  row: JsonMap;
  line: number;
  place: number;
  bytesRead: number;
  table: true;
  unit: 'line' | 'row';
}

/** A row not yet parsed, or one of a table. */
export type Piece = (ByteRange | TablePiece) & {
  /** Whether it is as a change over the file has it. */
  edited?: boolean;
};

const [OPEN_LIST, OPEN_OBJECT] = ['['.charCodeAt(0), '{'.charCodeAt(0)];
const NEWLINE = '\n'.charCodeAt(0);
const isSpace = (byte: number): boolean => byte === 32 || (byte >= 9 && byte <= 13);
/** Bytes in which the header of a table, or the list of a results file, must begin. */
const HEAD_BYTES = 1 << 20;

/**
 * The rows of a file in pieces, so that its size does not matter; what it is shows in its first bytes. Throws
 * UserError for what is no file of rows.
 */
export async function* filePieces(source: ByteSource): AsyncGenerator<Piece> {
  const start = new Uint8Array(Math.min(START_BYTES, source.size));
  await source.read(0, start);
  if (isParquet(start)) {
    for await (const { row, number, bytesRead } of parquetRows(source)) {
      yield { row, line: number, place: number, bytesRead, table: true, unit: 'row' };
    }
    return;
  }
  const packed = isGzip(start);
  const text = await openText(source, packed ? gunzip(source) : chunksOfFile(source));
  if (!text) {
    return;
  }
  const { head } = text;
  if (head[0] === OPEN_LIST) {
    return yield* items(text);
  }
  if (head[0] === OPEN_OBJECT) {
    const list = listWithin(text);
    return yield* list ? items(list, { within: true }) : lines(text);
  }
  const header = firstRecord(new TextDecoder().decode(head.subarray(0, HEAD_BYTES)));
  const dialect = dialectOf(header, isColumnName);
  if (!dialect) {
    return yield* lines(text);
  }
  for await (const { cells: row, line, bytesRead } of tableRows(text, dialect)) {
    yield { row, line, place: line, bytesRead, table: true, unit: 'line' };
  }
}

/** Undefined if the file has no text. Throws UserError for what is no text. */
async function openText(
  source: ByteSource,
  unpacked: AsyncGenerator<FileChunk>,
): Promise<OpenedText | undefined> {
  const { value: start } = (await unpacked.next()) as { value?: FileChunk };
  if (!start) {
    return undefined;
  }
  const foreign = await foreignFile(source, start.bytes.subarray(0, START_BYTES));
  if (foreign) {
    throw foreign;
  }
  const chunks = asUtf8(source.name, follow(start, unpacked));
  let line = 1;
  for (;;) {
    const { value: chunk } = (await chunks.next()) as { value?: FileChunk };
    if (!chunk) {
      return undefined;
    }
    const { bytes } = chunk;
    let begin = 0;
    for (; begin < bytes.length && isSpace(bytes[begin]!); begin++) {
      line += bytes[begin] === NEWLINE ? 1 : 0;
    }
    if (begin < bytes.length) {
      const first = withoutStart(chunk, begin);
      return { name: source.name, head: first.bytes, chunks: follow(first, chunks), line };
    }
  }
}

async function* follow(first: FileChunk, rest: AsyncGenerator<FileChunk>): AsyncGenerator<FileChunk> {
  yield first;
  yield* rest;
}
