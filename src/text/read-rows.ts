import { JsonError, type JsonOptions, NumberText, parseJson } from '../formats/json.ts';
import { UserError } from '../formats/user-error.ts';
import { decodeUtf8 } from '../formats/utf8.ts';
import { type ChangedSource, pieces } from './changed-pieces.ts';
import type { ByteRange } from './row-byte-ranges.ts';
import type { JsonMap } from './row-fields.ts';
import type { Piece } from './row-pieces.ts';

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
  /** Whether it is as a change over the file has it. */
  edited?: boolean;
}

/**
 * Reads the rows of a file in pieces, so that its size does not matter: JSONL, one JSON array, a results file of a
 * test, or a table as CSV or TSV, each also packed by gzip; or Parquet. Blank lines and a byte-order mark are skipped,
 * and so is what changes over the file leave out. Throws UserError naming file and line.
 */
export async function* readRows(source: ChangedSource, options?: JsonOptions): AsyncGenerator<RawRow> {
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
export async function* readOrderedRows(source: ChangedSource): AsyncGenerator<RawRow<JsonMap>> {
  for await (const piece of pieces(source)) {
    const row = orderedRow(source.name, piece);
    if (row) {
      yield row;
    }
  }
}

/** One of them; undefined for a blank line. Throws UserError naming file and line. */
export function orderedRow(name: string, piece: Piece): RawRow<JsonMap> | undefined {
  if ('row' in piece) {
    return piece;
  }
  const row = parse(name, piece, { keepKeyOrder: true, keepNumberText: true });
  return row && { ...piece, row: row as JsonMap };
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
