// References: RFC 4180; CPython, Lib/csv.py, and pandas, _libs/src/parser/tokenizer.c (what they accept beyond it).
import { placeInFile } from '../formats/chunks.ts';
import { quote } from '../formats/quote.ts';
import { UserError } from '../formats/user-error.ts';
import { decodeUtf8 } from '../formats/utf8.ts';
import { counted, showBytes } from '../formats/words.ts';
import { Held, MAX_ROW, type RowText } from './row-byte-ranges.ts';

/** A line of a table; a quoted cell may span several lines of the file. */
interface TableRecord {
  cells: string[];
  /** Its first line, from 1. */
  line: number;
  bytesRead: number;
}

/** One row of a table: its cells by column, null where empty. */
export interface TableRow {
  cells: ReadonlyMap<string, string | null>;
  line: number;
  bytesRead: number;
}

/** How a table separates its cells, and whether the line `sep=…`, which Excel reads, says so. */
export interface Dialect {
  delimiter: string;
  told: boolean;
}

const DELIMITERS = [',', ';', '\t'] as const;
/** Excel's, which is not part of the table. */
const TOLD = /^sep=([,;\t|])$/i;
const MAX_COLUMNS = 1000;
const code = (char: string): number => char.charCodeAt(0);
const [NEWLINE, RETURN, QUOTE] = [code('\n'), code('\r'), code('"')];

/**
 * How the first line of a file separates its cells, if it is the header of a table: the delimiter that makes most
 * cells. A single cell is a header only if `isKey` knows it.
 */
export function dialectOf(firstLine: string, isKey: (name: string) => boolean): Dialect | undefined {
  const told = TOLD.exec(firstLine.trimEnd())?.[1];
  if (told !== undefined) {
    return { delimiter: told, told: true };
  }
  const counts = DELIMITERS.map((delimiter) => {
    const cells = cellsOf(firstLine, delimiter);
    return { delimiter, cells: typeof cells === 'number' ? [] : cells };
  });
  const [best] = counts.toSorted((a, b) => b.cells.length - a.cells.length);
  const { delimiter, cells } = best!;
  const isTable = cells.length > 1 || (cells.length === 1 && isKey(cells[0]!.trim()));
  return isTable ? { delimiter, told: false } : undefined;
}

/** The header of a table, and the rows below it. Throws UserError naming the line. */
export async function* tableRows(text: RowText, dialect: Dialect): AsyncGenerator<TableRow> {
  let header: string[] | undefined;
  for await (const { cells, line, bytesRead } of records(text, dialect.delimiter)) {
    const isEmpty = cells.every((cell) => cell.trim() === '');
    if (isEmpty || (header === undefined && dialect.told && TOLD.test(cells.join(dialect.delimiter)))) {
      continue;
    }
    if (!header) {
      header = headerOf(text.name, line, cells);
      continue;
    }
    const extra = cells.findIndex((cell, i) => i >= header!.length && cell.trim() !== '');
    if (extra >= 0) {
      throw new UserError(
        `${text.name}, line ${line}: found ${counted(cells.length, 'cell')}, expected ${header.length} as in the header; put a cell that holds ${quote(dialect.delimiter)} into quotation marks.`,
      );
    }
    const named = header.map((name, i) => [name, cells[i] || null] as const);
    yield { cells: new Map(named), line, bytesRead };
  }
}

/** The names of the columns; one without a name is called by its number. Throws UserError for names that repeat. */
function headerOf(file: string, line: number, cells: readonly string[]): string[] {
  let end = cells.length;
  while (end > 0 && cells[end - 1]!.trim() === '') {
    end--;
  }
  if (end > MAX_COLUMNS) {
    throw new UserError(
      `${file}, line ${line}: the header has ${end} columns, expected at most ${MAX_COLUMNS}; leave out those that are not trained.`,
    );
  }
  const names = cells.slice(0, end).map((cell, i) => cell.trim() || `column ${i + 1}`);
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) {
    throw new UserError(
      `${file}, line ${line}: the header names the column ${quote(twice)} twice; rename one of them.`,
    );
  }
  return names;
}

async function* records({ name, chunks, line }: RowText, delimiter: string): AsyncGenerator<TableRecord> {
  const separator = code(delimiter);
  /** Line on which the open quoted cell begins. */
  let quotedFrom = 0;
  const held = new Held((from) =>
    quotedFrom > 0
      ? openQuote(name, quotedFrom)
      : new UserError(
          `${name}, line ${from}: the row is longer than ${showBytes(MAX_ROW)}, the most that a row may have; cut long texts into several rows.`,
        ),
  );
  let state: 'start' | 'plain' | 'quoted' | 'closed' = 'start';
  let first = line;
  let afterReturn = false;
  let read = 0;
  const record = (bytesRead: number): TableRecord => ({
    cells: readCells(name, first, held.take(), delimiter),
    line: first,
    bytesRead,
  });
  for await (const chunk of chunks) {
    const { bytes } = chunk;
    let at = 0;
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes[i]!;
      if (afterReturn) {
        afterReturn = false;
        if (byte === NEWLINE) {
          // The second half of a line's end.
          at = state === 'quoted' ? at : i + 1;
          continue;
        }
      }
      const isEnd = byte === NEWLINE || byte === RETURN;
      if (isEnd) {
        line++;
        afterReturn = byte === RETURN;
      }
      if (state === 'quoted') {
        state = byte === QUOTE ? 'closed' : 'quoted';
      } else if (isEnd) {
        if (i > at) {
          held.add(bytes.subarray(at, i), first);
        }
        if (held.size > 0) {
          yield record(placeInFile(chunk, i + 1));
        }
        [at, first, state] = [i + 1, line, 'start'];
      } else if (byte === separator) {
        state = 'start';
      } else if (byte === QUOTE && state !== 'plain') {
        quotedFrom = state === 'start' ? line : quotedFrom;
        state = 'quoted';
      } else {
        state = 'plain';
      }
    }
    held.add(bytes.subarray(at), first);
    read = chunk.end;
  }
  if (state === 'quoted') {
    throw openQuote(name, quotedFrom);
  }
  if (held.size > 0) {
    yield record(read);
  }
}

const openQuote = (name: string, line: number): UserError =>
  new UserError(
    `${name}, line ${line}: a cell opens a quotation mark that nothing closes; close it, and write a quotation mark within a cell twice.`,
  );

function readCells(name: string, line: number, bytes: Uint8Array, delimiter: string): string[] {
  const text = decodeUtf8(bytes);
  if (text === undefined) {
    throw new UserError(
      `${name}, line ${line}: not valid UTF-8; save the file as UTF-8 (in Excel: Save As, "CSV UTF-8").`,
    );
  }
  const cells = cellsOf(text, delimiter);
  if (typeof cells === 'number') {
    throw new UserError(
      `${name}, line ${line}: column ${cells} has text after its closing quotation mark; write a quotation mark within a cell twice.`,
    );
  }
  return cells;
}

/**
 * The cells of a record: quoted where they begin with a quotation mark, which stands within them twice. The number of
 * the column, from 1, where more follows a quoted cell, or nothing closes it.
 */
function cellsOf(text: string, delimiter: string): string[] | number {
  const cells: string[] = [];
  for (let at = 0; ;) {
    let end = text.indexOf(delimiter, at);
    end = end < 0 ? text.length : end;
    if (text[at] !== '"') {
      cells.push(text.slice(at, end));
    } else {
      let cell = '';
      for (at++; ; at += 2) {
        const close = text.indexOf('"', at);
        if (close < 0) {
          return cells.length + 1;
        }
        cell += text.slice(at, close);
        at = close;
        if (text[close + 1] !== '"') {
          break;
        }
        cell += '"';
      }
      end = text.indexOf(delimiter, at + 1);
      end = end < 0 ? text.length : end;
      if (text.slice(at + 1, end).trim() !== '') {
        return cells.length + 1;
      }
      cells.push(cell);
    }
    if (end >= text.length) {
      return cells;
    }
    at = end + 1;
  }
}

/** The first record of a text that begins with one; a quoted cell may span lines. */
export function firstRecord(text: string): string {
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (char === '"') {
      quoted = !quoted;
    } else if (!quoted && (char === '\n' || char === '\r')) {
      return text.slice(0, i);
    }
  }
  return text;
}
