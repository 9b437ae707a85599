import { NumberText } from '../formats/json.ts';
import { UserError } from '../formats/user-error.ts';

/** A JSON object in the order of its file; numbers in it are `NumberText`. */
export type JsonMap = ReadonlyMap<string, unknown>;

/** A quotation in a message is cut here. */
const MAX_QUOTE = 200;

/**
 * The keys of a row, or of a turn in it. It remembers which were read: the others have no effect, which the user is
 * told. A key with null counts as absent, since tables exported as JSON write null where a row has no value. Errors are
 * UserErrors that do not yet name file and line.
 */
export class RowFields {
  /** Where the object stands in its row: '', 'messages[2]'. */
  readonly where: string;
  readonly #values: JsonMap;
  readonly #read = new Set<string>();

  constructor(values: JsonMap, where = '') {
    this.#values = values;
    this.where = where;
  }

  get keys(): string[] {
    return [...this.#values.keys()];
  }

  has(key: string): boolean {
    return (this.#values.get(key) ?? undefined) !== undefined;
  }

  /** The value; undefined where it is absent or null. */
  value(key: string): unknown {
    this.#read.add(key);
    return this.#values.get(key) ?? undefined;
  }

  text(key: string): string {
    if (this.#values.get(key) === null) throw wrongType(this.path(key), null, 'a text');
    return asText(this.required(key), this.path(key));
  }

  /** '' where it is absent. */
  optionalText(key: string): string {
    return this.has(key) ? this.text(key) : '';
  }

  required(key: string): unknown {
    const value = this.value(key);
    if (value === undefined) throw new UserError(`the key ${this.path(key)} is missing; add it`);
    return value;
  }

  /** The objects of a list that is not empty. */
  objects(key: string): RowFields[] {
    const list = this.required(key);
    const path = this.path(key);
    if (!Array.isArray(list) || list.length === 0) throw wrongType(path, list, 'a list of messages');
    return list.map((entry: unknown, i) => {
      if (!(entry instanceof Map)) throw wrongType(`${path}[${i}]`, entry, 'an object');
      return new RowFields(entry as JsonMap, `${path}[${i}]`);
    });
  }

  path(key: string): string {
    return this.where ? `${this.where}.${key}` : key;
  }

  /** Present keys that nothing has read. */
  unread(): string[] {
    return this.keys.filter((key) => this.has(key) && !this.#read.has(key));
  }
}

/** The text; throws where it is none, or no text that UTF-8 can hold. */
export function asText(value: unknown, path: string): string {
  if (typeof value !== 'string') throw wrongType(path, value, 'a text');
  if (/\p{Surrogate}/u.test(value)) {
    throw new UserError(
      `${path} holds half a surrogate pair, which is no character; write the character itself`,
    );
  }
  return value;
}

/** The value as it is, after a check of every text in it. */
export function asPlainValue(value: unknown, path: string): unknown {
  if (typeof value === 'string') return asText(value, path);
  if (Array.isArray(value)) for (const [i, entry] of value.entries()) asPlainValue(entry, `${path}[${i}]`);
  if (value instanceof Map)
    for (const [key, entry] of value as JsonMap) {
      asText(key, path);
      asPlainValue(entry, `${path}.${quoted(key)}`);
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
  if (value === null || value === undefined) return 'null';
  if (value instanceof NumberText) return 'a number';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list of ${value.length}`;
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
