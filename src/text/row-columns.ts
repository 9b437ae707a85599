import { NumberText } from '../formats/json.ts';
import { quoteAll } from '../formats/quote.ts';
import { UserError } from '../formats/user-error.ts';
import { checkHas, type Columns, guessColumns } from './columns.ts';
import type { RawRow } from './read-rows.ts';
import type { ColumnNames, JsonMap } from './row-fields.ts';
import { fitsFormat, otherTrainingKey } from './row-formats.ts';
import { SWITCHES } from './training-switch.ts';
import { parseInside } from './turns.ts';

/** A row under the keys that are read, and what of it is not. */
interface NamedRow {
  row: JsonMap;
  names: ColumnNames;
  /** Columns that have no effect. */
  unused: string[];
}

/** Keys whose value is a list, which a table can only hold as a text in JSON. */
const LISTS: ReadonlySet<string> = new Set(['messages', 'conversations', 'history']);
/** Keys whose value is a number or a boolean, which a table spells out. */
const TYPED: ReadonlySet<string> = new Set([...SWITCHES, 'label', 'kto_tag']);

/**
 * Which columns of a file are read as what: as the user says; else under their own names, if these are of a known
 * format; else as their names suggest. Decided by the first row.
 */
export class RowColumns {
  /** Names of the columns, or keys, of the first row. */
  names: readonly string[] = [];
  /** What is read as what; undefined where the columns have the keys' own names. */
  columns: Columns | undefined;
  guessed = false;
  /** What the numbers of rows count. */
  unit: 'line' | 'row' = 'line';
  readonly #file: string;
  #decided = false;

  constructor(file: string, given: Columns | undefined) {
    this.#file = file;
    this.columns = given;
  }

  /** Throws UserErrors that do not yet name file and line. */
  read({ row, table = false }: RawRow<JsonMap>): NamedRow {
    const { columns } = this;
    const names: ColumnNames = { columns: columns ?? {}, table };
    if (!columns) {
      return { row: table ? new Map(typed(row, names)) : row, names, unused: [] };
    }
    const taken = new Set(Object.values(columns));
    const read = new Map<string, unknown>();
    for (const [key, column] of Object.entries(columns)) {
      if (row.has(column)) {
        read.set(key, row.get(column));
      }
    }
    const unused: string[] = [];
    for (const [name, value] of row) {
      const key = this.#keptKey(name);
      if (taken.has(name)) {
        continue;
      }
      if (key !== undefined && !read.has(key)) {
        read.set(key, value);
      } else if ((value ?? undefined) !== undefined) {
        unused.push(name);
      }
    }
    return { row: table ? new Map(typed(read, names)) : read, names, unused };
  }

  /** Decides by the first row; later ones change nothing. Throws UserError naming the file. */
  decide({ row, table = false, unit = 'line' }: RawRow<JsonMap>): void {
    if (this.#decided) {
      return;
    }
    this.#decided = true;
    this.unit = unit;
    const names = (this.names = [...row.keys()]);
    if (this.columns) {
      checkHas(this.columns, names, this.#file);
    } else if (!fitsFormat(names)) {
      this.columns = guessColumns(names);
      this.guessed = this.columns !== undefined;
      if (table && !this.columns) {
        throw new UserError(
          `${this.#file}: the columns are ${quoteAll(names)}, expected question and answer, instruction and output, prompt and completion, messages, or text in the first line; rename them, or say which is which.`,
        );
      }
    }
  }

  /** Columns that count beside those that were named: whether a row is trained, and what no row may have. */
  #keptKey(name: string): string | undefined {
    const other = this.guessed ? otherTrainingKey(name) : undefined;
    return other ?? SWITCHES.find((key) => key === name);
  }
}

/** Cells of a table as the values that they spell. Throws UserError. */
function* typed(row: JsonMap, names: ColumnNames): Generator<[string, unknown]> {
  for (const [key, value] of row) {
    if (typeof value !== 'string') {
      yield [key, value];
    } else if (LISTS.has(key)) {
      yield [key, listIn(value, `the column ${JSON.stringify(names.columns[key] ?? key)}`)];
    } else {
      yield [key, TYPED.has(key.toLowerCase()) ? valueIn(value) : value];
    }
  }
}

function listIn(text: string, path: string): unknown {
  if (/^\s*\[\s*\{\s*'/.test(text)) {
    throw new UserError(
      `${path} holds a list as Python prints it, expected JSON; save the table as Parquet, or as JSONL (in pandas, df.to_json(file, orient="records", lines=True))`,
    );
  }
  return parseInside(text, path);
}

function valueIn(text: string): unknown {
  const word = text.trim().toLowerCase();
  if (word === 'true' || word === 'false') {
    return word === 'true';
  }
  return /^-?\d+(?:\.\d+)?$/.test(word) ? new NumberText(word) : text;
}
