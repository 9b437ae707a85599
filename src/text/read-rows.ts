import type { ByteSource } from '../formats/byte-source.ts';
import { chunksOfFile, type FileChunk, withoutStart } from '../formats/chunks.ts';
import { foreignFile, START_BYTES } from '../formats/foreign-file.ts';
import { gunzip, isGzip } from '../formats/gunzip.ts';
import { JsonError, type JsonOptions, NumberText, parseJson } from '../formats/json.ts';
import { isParquet } from '../formats/parquet/footer.ts';
import { parquetRows } from '../formats/parquet/rows.ts';
import { UserError } from '../formats/user-error.ts';
import { decodeUtf8 } from '../formats/utf8.ts';
import { isColumnName } from './columns.ts';
import { dialectOf, firstRecord, tableRows } from './csv.ts';
import { listWithin } from './list-within.ts';
import { type ByteRange, items, lines, type OpenedText } from './row-byte-ranges.ts';
import type { JsonMap } from './row-fields.ts';
import { asUtf8 } from './utf16.ts';

export type JsonObject = Record<string, unknown>;

/** One row of a file, by default a plain object. */
export interface RawRow<T = JsonObject> {
  row: T;
  /** Its first line, from 1. */
  line: number;
  /** In a JSON list the item's index, otherwise the line; from 1. */
  place: number;
  /** Bytes of the file up to its end. */
  bytesRead: number;
  /** Whether it is of a table, whose cells are texts, or null where empty. */
  table?: boolean;
  /** What `line` counts: rows, where the file has no lines. By default lines. */
  unit?: 'line' | 'row';
}

/** A row not yet parsed, or one of a table. */
type Piece = ByteRange | Required<RawRow<JsonMap>>;

/**
 * Reads the rows of a file in pieces, so that its size does not matter: JSONL, one JSON array, a results file of a
 * test, or a table as CSV or TSV, each also packed by gzip; or Parquet. What it is shows in its first bytes. Blank
 * lines and a byte-order mark are skipped. Throws UserError naming file and line.
 */
export async function* readRows(source: ByteSource, options?: JsonOptions): AsyncGenerator<RawRow> {
  for await (const piece of pieces(source)) {
    if ('row' in piece) {
      yield {
        ...piece,
        row: Object.assign(Object.create(null) as JsonObject, Object.fromEntries(piece.row)),
      };
      continue;
    }
    const row = parse(source.name, piece, options);
    if (row) {
      yield { ...piece, row: row as JsonObject };
    }
  }
}

/** The same rows with their keys in order and their numbers as text, as a chat template must get them. */
export async function* readOrderedRows(source: ByteSource): AsyncGenerator<RawRow<JsonMap>> {
  for await (const piece of pieces(source)) {
    if ('row' in piece) {
      yield piece;
      continue;
    }
    const row = parse(source.name, piece, { keepKeyOrder: true, keepNumberText: true });
    if (row) {
      yield { ...piece, row: row as JsonMap };
    }
  }
}

const [OPEN_LIST, OPEN_OBJECT] = ['['.charCodeAt(0), '{'.charCodeAt(0)];
const NEWLINE = '\n'.charCodeAt(0);
const isSpace = (byte: number): boolean => byte === 32 || (byte >= 9 && byte <= 13);
/** Bytes in which the header of a table, or the list of a results file, must begin. */
const HEAD_BYTES = 1 << 20;

async function* pieces(source: ByteSource): AsyncGenerator<Piece> {
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

function parse(name: string, { bytes, line }: ByteRange, options?: JsonOptions): object | undefined {
  const text = decodeUtf8(bytes);
  if (text === undefined) {
    throw new UserError(`${name}, line ${line}: not valid UTF-8; save the file as UTF-8.`);
  }
  if (text.trim() === '') {
    return undefined;
  }
  let value: unknown;
  try {
    value = parseJson(text, options);
  } catch (error) {
    if (!(error instanceof JsonError)) {
      throw error;
    }
    throw new UserError(
      `${name}, line ${line + error.line - 1}: not valid JSON at column ${error.column}: ${error.message}; write one JSON object per line.`,
    );
  }
  if (isJsonObject(value)) {
    return value;
  }
  const found = Array.isArray(value) ? 'a list' : JSON.stringify(value).slice(0, 40);
  throw new UserError(
    `${name}, line ${line}: found ${found}, expected a JSON object such as {"text": "…"}; write one per line.`,
  );
}

const isJsonObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof NumberText);
