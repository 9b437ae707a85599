import type { ByteSource } from './byte-source.ts';
import { JsonError, NumberText, parseJson, parseJsonFile } from './json.ts';
import { jsonLine } from './json-line.ts';
import { quote } from './quote.ts';
import { readText } from './read-text.ts';
import { UserError } from './user-error.ts';
import { counted, showCount } from './words.ts';

/**
 * Changes over a file of rows, which itself is never written: rows left out, and rows read as another text. Plain
 * data, so that it can be stored and passed to a worker. A row's number is its line, or its index in a JSON list or
 * a Parquet file; from 1.
 */
export interface RowChanges {
  /** SHA-256 of the file that they are over. */
  readonly of: string;
  /** Ascending. */
  readonly leftOut: readonly number[];
  /** The row's JSON on one line, by number, ascending; none of them is left out. */
  readonly edited: readonly (readonly [row: number, json: string])[];
  /** The file that they were read from, for messages. */
  readonly from?: string | undefined;
}

/** How many rows are left out, and how many read as another text. */
export interface ChangeCounts {
  readonly leftOut: number;
  readonly edited: number;
}

/** Characters of one edited row, and of all: every checkpoint of the page's writes them with the run's record. */
const MAX_EDIT = 2 ** 20;
const MAX_EDITS = 2 ** 24;
/** Rows left out. */
const MAX_LEFT_OUT = 2 ** 20;
const MAX_FILE_BYTES = 2 ** 26;
const SHA256 = /^[0-9a-f]{64}$/;
const ROW_NUMBER = /^[1-9]\d{0,8}$/;

/** No changes yet, over the file with this SHA-256. */
export const noChanges = (of: string): RowChanges => ({ of, leftOut: [], edited: [] });

/** The same changes, and these rows left out; what was edited of them is forgotten. Throws UserError. */
export function leaveOut(changes: RowChanges, rows: Iterable<number>): RowChanges {
  const leftOut = new Set([...changes.leftOut, ...rows]);
  if (leftOut.size > MAX_LEFT_OUT) {
    throw new UserError(
      `${counted(leftOut.size, 'row')} would be left out, expected at most ${showCount(MAX_LEFT_OUT)}; remove them from the file.`,
    );
  }
  return {
    ...changes,
    leftOut: ascending(leftOut),
    edited: changes.edited.filter(([row]) => !leftOut.has(row)),
  };
}

/**
 * The same changes, and this row read as `text`, a JSON object under the file's own keys or columns; it is no longer
 * left out. Throws UserError if it is none; whether it is a row of the file's form shows when it is read.
 */
export const editRow = (changes: RowChanges, row: number, text: string): RowChanges =>
  editRows(changes, [[row, text]]);

function editRows(changes: RowChanges, edits: Iterable<readonly [row: number, text: string]>): RowChanges {
  const edited = new Map(changes.edited);
  let characters = changes.edited.reduce((sum, [, { length }]) => sum + length, 0);
  for (const [row, text] of edits) {
    const json = rowOf(text, `row ${row}`);
    characters += json.length - (edited.get(row)?.length ?? 0);
    if (characters > MAX_EDITS) {
      throw new UserError(
        `row ${row}: with it the edited rows have ${showCount(characters)} characters, expected at most ${showCount(MAX_EDITS)}; write them into the file.`,
      );
    }
    edited.set(row, json);
  }
  return {
    ...changes,
    leftOut: changes.leftOut.filter((row) => !edited.has(row)),
    edited: [...edited].toSorted(([a], [b]) => a - b),
  };
}

/** The same changes but for these rows, which are again as the file has them. */
export function restoreRows(changes: RowChanges, rows: Iterable<number>): RowChanges {
  const restored = new Set(rows);
  return {
    ...changes,
    leftOut: changes.leftOut.filter((row) => !restored.has(row)),
    edited: changes.edited.filter(([row]) => !restored.has(row)),
  };
}

/** The changes, or undefined where nothing is changed. */
export const anyChanges = (changes: RowChanges | undefined): RowChanges | undefined =>
  changes && changes.leftOut.length + changes.edited.length > 0 ? changes : undefined;

export const countChanges = (changes: RowChanges | undefined): ChangeCounts => ({
  leftOut: changes?.leftOut.length ?? 0,
  edited: changes?.edited.length ?? 0,
});

/** "2 rows left out, 1 edited"; undefined where nothing is changed. */
export function showChanges({ leftOut, edited }: ChangeCounts): string | undefined {
  const parts = [
    leftOut > 0 && `${counted(leftOut, 'row')} left out`,
    edited > 0 && `${leftOut > 0 ? showCount(edited) : counted(edited, 'row')} edited`,
  ];
  return parts.filter((part) => part !== false).join(', ') || undefined;
}

/** One text that is the same for the same changes, whatever they were read from. */
export const changesText = ({ leftOut, edited }: RowChanges): string => JSON.stringify([leftOut, edited]);

/** The file of changes for the command line; `rows` is the name of the file that they are over. */
export function writeRowChanges(changes: RowChanges, rows: string): string {
  const edits = changes.edited.map(([row, json]) => `\n    "${row}": ${json}`);
  return `{
  "rows": ${JSON.stringify(rows)},
  "sha256": ${JSON.stringify(changes.of)},
  "leave_out": [${changes.leftOut.join(', ')}],
  "edit": {${edits.join(',')}${edits.length > 0 ? '\n  ' : ''}}
}
`;
}

/** Reads a file of changes. Throws UserError naming the key. */
export async function readRowChanges(source: ByteSource): Promise<RowChanges> {
  return parseRowChanges(await readText(source, MAX_FILE_BYTES, 'a file of changes'), source.name);
}

/** Parses the text of a file of changes. Throws UserError naming the key. */
export function parseRowChanges(text: string, file: string): RowChanges {
  const json = parseJsonFile(text, file, { keepKeyOrder: true, keepNumberText: true });
  const refuse = (key: string, found: unknown, expected: string): never => {
    throw new UserError(
      `${file}: ${key} is ${found === undefined ? 'missing' : quote(found)}, expected ${expected}; correct the file, or export it again.`,
    );
  };
  if (!(json instanceof Map)) {
    throw new UserError(
      `${file}: it holds ${quote(json)}, expected {"sha256": "…", "leave_out": […], "edit": {…}}; choose a file of changes that Retune has exported.`,
    );
  }
  const values = json as ReadonlyMap<string, unknown>;
  const unknown = [...values.keys()].find((key) => !KEYS.includes(key));
  if (unknown !== undefined) {
    throw new UserError(
      `${file}: the key ${quote(unknown)} is not known, expected ${KEYS.join(', ')}; remove it.`,
    );
  }
  const of = values.get('sha256');
  if (typeof of !== 'string' || !SHA256.test(of)) {
    return refuse('sha256', of, 'the SHA-256 of the file of rows, in 64 hex digits');
  }
  const leftOut = values.get('leave_out') ?? [];
  if (!Array.isArray(leftOut)) {
    return refuse('leave_out', leftOut, 'a list of row numbers');
  }
  const rows = leftOut.map((row: unknown, i) =>
    row instanceof NumberText && ROW_NUMBER.test(row.text)
      ? Number(row.text)
      : refuse(`leave_out[${i}]`, row, 'a row number from 1'),
  );
  const edit = values.get('edit') ?? new Map<string, unknown>();
  if (!(edit instanceof Map)) {
    return refuse('edit', edit, 'rows by their numbers');
  }
  const edited = [...(edit as Map<string, unknown>)].map(([key, row]) =>
    ROW_NUMBER.test(key)
      ? ([Number(key), row] as const)
      : refuse('a key of edit', key, 'a row number from 1, such as "12"'),
  );
  const left = new Set(rows);
  const both = edited.find(([row]) => left.has(row));
  if (both) {
    throw new UserError(
      `${file}: row ${both[0]} is in leave_out and in edit, expected in one of them; remove it from the other.`,
    );
  }
  return within(file, () =>
    editRows(
      leaveOut({ ...noChanges(of), from: file }, left),
      edited.map(([row, value]) => [row, jsonLine(value)] as const),
    ),
  );
}

const KEYS = ['rows', 'sha256', 'leave_out', 'edit'];

/** The JSON object on one line, as `jsonLine` writes it. Throws UserError. */
function rowOf(text: string, place: string): string {
  if (text.length > MAX_EDIT) {
    throw new UserError(
      `${place}: it has ${showCount(text.length)} characters, expected at most ${showCount(MAX_EDIT)}; shorten it.`,
    );
  }
  let value: unknown;
  try {
    value = parseJson(text, { keepKeyOrder: true, keepNumberText: true });
  } catch (error) {
    if (!(error instanceof JsonError)) {
      throw error;
    }
    const at = error.line > 1 ? `line ${error.line}, column ${error.column}` : `column ${error.column}`;
    throw new UserError(`${place}: not valid JSON at ${at}: ${error.message}; correct it.`);
  }
  if (!(value instanceof Map)) {
    throw new UserError(
      `${place}: found ${quote(value)}, expected a JSON object such as {"text": "…"}; correct it.`,
    );
  }
  return jsonLine(value);
}

const ascending = (rows: Iterable<number>): number[] => [...rows].toSorted((a, b) => a - b);

function within<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof UserError)) {
      throw error;
    }
    throw new UserError(`${file}, ${error.message}`);
  }
}
