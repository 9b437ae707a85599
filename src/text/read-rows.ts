import type { ByteSource } from '../formats/byte-source.ts';
import { JsonError, type JsonOptions, NumberText, parseJson } from '../formats/json.ts';
import { UserError } from '../formats/user-error.ts';
import { decodeUtf8 } from '../formats/utf8.ts';
import { type ByteRange, rowByteRanges } from './row-byte-ranges.ts';
import type { JsonMap } from './row-fields.ts';

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
}

/**
 * Reads the rows of a JSONL file, or of a file that is one JSON array, in pieces, so that its size does not matter.
 * Blank lines and a byte-order mark are skipped. Throws UserError naming file and line.
 */
export async function* readRows(source: ByteSource, options?: JsonOptions): AsyncGenerator<RawRow> {
  for await (const slice of rowByteRanges(source)) {
    const row = parse(source.name, slice, options);
    if (row) {
      yield { ...slice, row: row as JsonObject };
    }
  }
}

/** The same rows with their keys in order and their numbers as text, as a chat template must get them. */
export async function* readOrderedRows(source: ByteSource): AsyncGenerator<RawRow<JsonMap>> {
  for await (const slice of rowByteRanges(source)) {
    const row = parse(source.name, slice, { keepKeyOrder: true, keepNumberText: true });
    if (row) {
      yield { ...slice, row: row as JsonMap };
    }
  }
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
