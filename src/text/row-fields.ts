import { NumberText } from '../formats/json.ts';
import { UserError } from '../formats/user-error.ts';

/** A JSON object in file order; numbers in it are `NumberText`. */
export type JsonMap = ReadonlyMap<string, unknown>;

/** How messages speak of a row's keys. */
export interface ColumnNames {
  /** The file's own names of keys. */
  readonly columns: Readonly<Record<string, string | undefined>>;
  /** Whether they are columns of a table. */
  readonly table: boolean;
}

/** Maximum length of a quotation in a message. */
const MAX_QUOTE = 200;

/**
 * The keys of a row, or of a turn in it. It records which were read: the others have no effect, which the user is
 * told. A null value counts as absent, because tables exported as JSON write null for empty cells. Throws
 * UserErrors that do not yet name file and line.
 */
export class RowFields {
  /** The object's place in the row: '', 'messages[2]'. */
  readonly where: string;
  readonly #values: JsonMap;
  readonly #read = new Set<string>();
  readonly #names: ColumnNames | undefined;

  constructor(values: JsonMap, where = '', names?: ColumnNames) {
    this.#values = values;
    this.where = where;
    this.#names = names;
  }

  get keys(): string[] {
    return [...this.#values.keys()];
  }

  has(key: string): boolean {
    return (this.#values.get(key) ?? undefined) !== undefined;
  }

  /** The value; undefined if absent or null. */
  value(key: string): unknown {
    this.#read.add(key);
    return this.#values.get(key) ?? undefined;
  }

  text(key: string): string {
    if (this.#values.get(key) === null) {
      throw this.#names?.table
        ? new UserError(
            `the column ${quoted(this.#names.columns[key] ?? key)} is empty, expected a text; fill it in, or remove the row`,
          )
        : wrongType(this.path(key), null, 'a text');
    }
    return asText(this.required(key), this.path(key));
  }

  /** '' if absent. */
  optionalText(key: string): string {
    return this.has(key) ? this.text(key) : '';
  }

  required(key: string): unknown {
    const value = this.value(key);
    if (value === undefined) {
      throw new UserError(`the key ${this.path(key)} is missing; add it`);
    }
    return value;
  }

  /** The objects of a non-empty list. */
  objects(key: string): RowFields[] {
    const list = this.required(key);
    const path = this.path(key);
    if (!Array.isArray(list) || list.length === 0) {
      throw wrongType(path, list, 'a list of messages');
    }
    return list.map((entry: unknown, i) => {
      if (!(entry instanceof Map)) {
        throw wrongType(`${path}[${i}]`, entry, 'an object');
      }
      return new RowFields(entry as JsonMap, `${path}[${i}]`);
    });
  }

  path(key: string): string {
    const own = this.#names?.columns[key];
    return this.where ? `${this.where}.${key}` : own === undefined ? key : quoted(own);
  }

  /** Keys that are present but were never read. */
  unread(): string[] {
    return this.keys.filter((key) => this.has(key) && !this.#read.has(key));
  }
}

/** The text. Throws UserError if it is not a text, or not representable in UTF-8. */
export function asText(value: unknown, path: string): string {
  if (typeof value !== 'string') {
    throw wrongType(path, value, 'a text');
  }
  if (/\p{Surrogate}/u.test(value)) {
    throw new UserError(
      `${path} holds half a surrogate pair, which is no character; write the character itself`,
    );
  }
  return value;
}

/** The value unchanged, after checking every text in it. */
export function asPlainValue(value: unknown, path: string): unknown {
  if (typeof value === 'string') {
    return asText(value, path);
  }
  if (Array.isArray(value)) {
    for (const [i, entry] of value.entries()) {
      asPlainValue(entry, `${path}[${i}]`);
    }
  }
  if (value instanceof Map) {
    for (const [key, entry] of value as JsonMap) {
      asText(key, path);
      asPlainValue(entry, `${path}.${quoted(key)}`);
    }
  }
  return value;
}

export function wrongType(path: string, value: unknown, expected: string): UserError {
  return new UserError(`${path} is ${describe(value)}, expected ${expected}; correct it`);
}

export function unknownWord(path: string, found: string, expected: readonly string[]): UserError {
  return new UserError(`${path} is ${quoted(found)}, expected ${expected.join(', ')}; rename it`);
}

export const quoted = (text: string): string =>
  JSON.stringify(text.length > MAX_QUOTE ? `${text.slice(0, MAX_QUOTE)}…` : text);

function describe(value: unknown): string {
  if (value === null || value === undefined) {
    return 'null';
  }
  if (value instanceof NumberText) {
    return 'a number';
  }
  if (Array.isArray(value)) {
    return value.length === 0 ? 'an empty list' : `a list of ${value.length}`;
  }
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
