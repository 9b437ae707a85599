import type { ByteSource } from '../formats/byte-source.ts';
import { UserError } from '../formats/user-error.ts';
import { showBytes } from '../formats/words.ts';

/** The bytes of one row, not yet parsed. */
export interface ByteRange {
  bytes: Uint8Array;
  /** Line of its first byte, from 1. */
  line: number;
  /** In a JSON list the item's index, otherwise the line; from 1. */
  place: number;
  /** Bytes of the file up to its end. */
  bytesRead: number;
}

const CHUNK = 1 << 20;
/** Maximum bytes of a row: far more than any context, few enough to parse as one text. */
const MAX_ROW = 128 * 2 ** 20;
const BOM = [0xef, 0xbb, 0xbf];
const code = (char: string): number => char.charCodeAt(0);
const [NEWLINE, QUOTE, BACKSLASH, COMMA] = [code('\n'), code('"'), code('\\'), code(',')];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [code('['), code(']'), code('{'), code('}')];
const isSpace = (byte: number): boolean => byte === 32 || (byte >= 9 && byte <= 13);

/**
 * The rows of a file as byte ranges: the items of a JSON array if the file begins with one, otherwise its lines.
 * Throws UserError.
 */
export async function* rowByteRanges(source: ByteSource): AsyncGenerator<ByteRange> {
  yield* (await firstByte(source)) === OPEN_LIST ? items(source) : lines(source);
}

async function firstByte(source: ByteSource): Promise<number | undefined> {
  for await (const { bytes } of chunks(source)) {
    const first = bytes.find((byte) => !isSpace(byte));
    if (first !== undefined) {
      return first;
    }
  }
  return undefined;
}

const sliceOf = (bytes: Uint8Array, line: number, bytesRead: number, place = line): ByteRange => ({
  bytes,
  line,
  place,
  bytesRead,
});

async function* lines(source: ByteSource): AsyncGenerator<ByteRange> {
  const held = new Held(source.name);
  let line = 1;
  for await (const { bytes, begin } of chunks(source)) {
    let at = 0;
    for (let end; (end = bytes.indexOf(NEWLINE, at)) >= 0; at = end + 1) {
      held.add(bytes.subarray(at, end), line);
      yield sliceOf(held.take(), line++, begin + end + 1);
    }
    held.add(bytes.subarray(at), line);
  }
  if (held.size > 0) {
    yield sliceOf(held.take(), line, source.size);
  }
}

/**
 * The top-level items of a JSON array. Only brackets, strings and commas matter here; parsing an item finds other
 * errors.
 */
async function* items(source: ByteSource): AsyncGenerator<ByteRange> {
  let state: 'before' | 'inside' | 'after' = 'before';
  const held = new Held(source.name);
  let line = 1;
  let place = 0;
  /** Line of the item being read; 0 between items. */
  let itemLine = 0;
  /** Whether the last token was a comma, so that another item must follow. */
  let afterComma = false;
  let depth = 0;
  let inString = false;
  let escaped = false;
  for await (const { bytes, begin } of chunks(source)) {
    let itemAt = 0;
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes[i]!;
      if (byte === NEWLINE) {
        line++;
      }
      if (inString) {
        if (!escaped && byte === QUOTE) {
          inString = false;
        }
        escaped = !escaped && byte === BACKSLASH;
      } else if (isSpace(byte)) {
        continue;
      } else if (state === 'before') {
        state = 'inside';
      } else if (state === 'after') {
        throw new UserError(
          `${source.name}, line ${line}: there is more text after the end of the JSON list; remove it.`,
        );
      } else if (depth === 0 && (byte === COMMA || byte === CLOSE_LIST)) {
        if (itemLine > 0) {
          held.add(bytes.subarray(itemAt, i), itemLine);
          yield sliceOf(held.take(), itemLine, begin + i + 1, ++place);
        } else if (byte === COMMA || afterComma) {
          throw new UserError(
            `${source.name}, line ${line}: a row is missing beside a comma of the JSON list; remove the comma.`,
          );
        }
        afterComma = byte === COMMA;
        itemLine = 0;
        if (byte === CLOSE_LIST) {
          state = 'after';
        }
      } else {
        if (itemLine === 0) {
          itemLine = line;
          itemAt = i;
        }
        if (byte === QUOTE) {
          inString = true;
        } else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
          depth++;
        } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) {
          depth--;
        }
      }
    }
    if (itemLine > 0) {
      held.add(bytes.subarray(itemAt), itemLine);
    }
  }
  if (state !== 'after') {
    throw new UserError(
      `${source.name}, line ${line}: the file ends inside its JSON list; it seems cut off, copy it again.`,
    );
  }
}

/** The file's bytes from `begin` on, piece by piece, without a byte-order mark. */
async function* chunks(source: ByteSource): AsyncGenerator<{ bytes: Uint8Array; begin: number }> {
  for (let begin = 0; begin < source.size; begin += CHUNK) {
    const bytes = new Uint8Array(Math.min(CHUNK, source.size - begin));
    await source.read(begin, bytes);
    const skip = begin === 0 && BOM.every((byte, i) => bytes[i] === byte) ? BOM.length : 0;
    yield { bytes: bytes.subarray(skip), begin: begin + skip };
  }
}

/** The pieces of a row that spans several chunks. */
class Held {
  size = 0;
  readonly #name: string;
  #pieces: Uint8Array[] = [];

  constructor(name: string) {
    this.#name = name;
  }

  /** Adds a piece of the row that begins at `line`. Throws UserError if the row is too long. */
  add(piece: Uint8Array, line: number): void {
    this.#pieces.push(piece);
    this.size += piece.length;
    if (this.size <= MAX_ROW) {
      return;
    }
    throw new UserError(
      `${this.#name}, line ${line}: the row is longer than ${showBytes(MAX_ROW)}, the most that a row may have; write one JSON object per line, and cut long texts into several.`,
    );
  }

  /** Returns the row; the next one begins. */
  take(): Uint8Array {
    const pieces = this.#pieces;
    const whole = pieces.length === 1 ? pieces[0]! : new Uint8Array(this.size);
    let at = 0;
    for (const piece of pieces.length === 1 ? [] : pieces) {
      whole.set(piece, at);
      at += piece.length;
    }
    this.#pieces = [];
    this.size = 0;
    return whole;
  }
}
