import { type FileChunk, placeInFile } from '../formats/chunks.ts';
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

/** The content of a file from its first character that is no space on, and the line on which that stands. */
export interface RowText {
  name: string;
  chunks: AsyncIterable<FileChunk>;
  line: number;
}

/** The same, with its beginning at hand. */
export interface OpenedText extends RowText {
  head: Uint8Array<ArrayBuffer>;
}

/** Maximum bytes of a row: far more than any context, few enough to parse as one text. */
export const MAX_ROW = 128 * 2 ** 20;
const code = (char: string): number => char.charCodeAt(0);
const [NEWLINE, QUOTE, BACKSLASH, COMMA] = [code('\n'), code('"'), code('\\'), code(',')];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [code('['), code(']'), code('{'), code('}')];
const isSpace = (byte: number): boolean => byte === 32 || (byte >= 9 && byte <= 13);

const sliceOf = (bytes: Uint8Array, line: number, bytesRead: number, place = line): ByteRange => ({
  bytes,
  line,
  place,
  bytesRead,
});

/** The lines that are not empty. Throws UserError. */
export async function* lines({ name, chunks, line }: RowText): AsyncGenerator<ByteRange> {
  const held = new Held(tooLong(name));
  let read = 0;
  for await (const chunk of chunks) {
    const { bytes } = chunk;
    let at = 0;
    for (let end; (end = bytes.indexOf(NEWLINE, at)) >= 0; at = end + 1) {
      if (end > at || held.size > 0) {
        held.add(bytes.subarray(at, end), line);
        yield sliceOf(held.take(), line, placeInFile(chunk, end + 1));
      }
      line++;
    }
    held.add(bytes.subarray(at), line);
    read = chunk.end;
  }
  if (held.size > 0) {
    yield sliceOf(held.take(), line, read);
  }
}

/**
 * The items of a JSON array, with which the text begins. Only brackets, strings and commas matter here; parsing an
 * item finds other errors. `within` an object, more may follow the array. Throws UserError.
 */
export async function* items(
  { name, chunks, line }: RowText,
  { within = false } = {},
): AsyncGenerator<ByteRange> {
  let state: 'before' | 'inside' | 'after' = 'before';
  const held = new Held(tooLong(name));
  let place = 0;
  /** Line of the item being read; 0 between items. */
  let itemLine = 0;
  /** Whether the last token was a comma, so that another item must follow. */
  let afterComma = false;
  let depth = 0;
  let inString = false;
  let escaped = false;
  for await (const chunk of chunks) {
    const { bytes } = chunk;
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
        if (within) {
          return;
        }
        throw new UserError(
          `${name}, line ${line}: there is more text after the end of the JSON list; remove it.`,
        );
      } else if (depth === 0 && (byte === COMMA || byte === CLOSE_LIST)) {
        if (itemLine > 0) {
          held.add(bytes.subarray(itemAt, i), itemLine);
          yield sliceOf(held.take(), itemLine, placeInFile(chunk, i + 1), ++place);
        } else if (byte === COMMA || afterComma) {
          throw new UserError(
            `${name}, line ${line}: a row is missing beside a comma of the JSON list; remove the comma.`,
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
      `${name}, line ${line}: the file ends inside its JSON list; it seems cut off, copy it again.`,
    );
  }
}

/** The pieces of a row that spans several chunks. */
export class Held {
  size = 0;
  readonly #tooLong: (line: number) => UserError;
  #pieces: Uint8Array[] = [];

  /** `tooLong` says of a row that begins at a line that it is longer than MAX_ROW. */
  constructor(tooLong: (line: number) => UserError) {
    this.#tooLong = tooLong;
  }

  /** Adds a piece of the row that begins at `line`. Throws UserError if the row is too long. */
  add(piece: Uint8Array, line: number): void {
    this.#pieces.push(piece);
    this.size += piece.length;
    if (this.size > MAX_ROW) {
      throw this.#tooLong(line);
    }
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

const tooLong = (name: string) => (line: number) =>
  new UserError(
    `${name}, line ${line}: the row is longer than ${showBytes(MAX_ROW)}, the most that a row may have; write one JSON object per line, and cut long texts into several.`,
  );
