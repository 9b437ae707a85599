import { NumberText, PythonFloat } from './json.ts';
import { quote } from './quote.ts';
import { UserError } from './user-error.ts';

/** The valid range of a number. Bounds are inclusive, except `above` and `below`. */
export interface NumberRule {
  readonly whole?: boolean;
  readonly min?: number;
  readonly above?: number;
  readonly max?: number;
  readonly below?: number;
  /** Above this, only integers. */
  readonly wholeAbove?: number;
}

/** The file's name for each key; null for a key it does not have. Keys not listed keep their name. */
export type KeyNames = Readonly<Record<string, string | null>>;

/**
 * Typed access to the keys of a parsed file. Null counts as absent. Every refusal is a UserError naming file and
 * key.
 */
export class Fields {
  readonly file: string;
  readonly values: Readonly<Record<string, unknown>>;
  #asked = new Set<string>();
  #names: KeyNames = {};
  readonly #path: string;
  readonly #remedy: string;

  /** `path` is prefixed to keys in messages ("training."); `remedy` says what to do and ends every message. */
  constructor(file: string, value: unknown, path = '', remedy = 'correct the file') {
    this.file = file;
    this.#path = path;
    this.#remedy = remedy;
    if (!isRecord(value)) {
      const what = path ? path.replace(/\.$/, ' is') : 'it holds';
      throw new UserError(`${file}: ${what} ${quote(value)}, expected keys and values; ${remedy}.`);
    }
    this.values = value;
  }

  /** The same file read under other names: `key` is looked up, and reported, as `names[key]`. */
  renamed(names: KeyNames): Fields {
    const fields = new Fields(this.file, this.values, this.#path, this.#remedy);
    fields.#asked = this.#asked;
    fields.#names = names;
    return fields;
  }

  /** The file's name for `key`; undefined if it has no such key. */
  nameOf(key: string): string | undefined {
    const name = Object.hasOwn(this.#names, key) ? this.#names[key] : key;
    return name ?? undefined;
  }

  /** The value as parsed. */
  value(key: string): unknown {
    const name = this.nameOf(key);
    if (name === undefined) {
      return undefined;
    }
    this.#asked.add(name);
    return Object.hasOwn(this.values, name) ? this.values[name] : undefined;
  }

  refuse(key: string, expected: string): never {
    const found = this.has(key) ? quote(this.value(key)) : 'missing';
    throw new UserError(
      `${this.file}: ${this.#path}${this.nameOf(key) ?? key} is ${found}, expected ${expected}; ${this.#remedy}.`,
    );
  }

  has(key: string): boolean {
    const value = this.value(key);
    return value !== undefined && value !== null;
  }

  /** Whether the file says null: none, as opposed to an absent key, which means a default. */
  isNull(key: string): boolean {
    return this.value(key) === null;
  }

  isEmpty(): boolean {
    return Object.keys(this.values).length === 0;
  }

  /** A number, or a string that spells one (YAML reads 5e-5 as text). */
  number(key: string, rule: NumberRule, fallback?: number): number {
    if (!this.has(key) && fallback !== undefined) {
      return fallback;
    }
    const value = toNumber(this.value(key));
    if (value === undefined || !fits(value, rule)) {
      return this.refuse(key, describe(rule));
    }
    return value;
  }

  boolean(key: string, fallback?: boolean): boolean {
    if (!this.has(key) && fallback !== undefined) {
      return fallback;
    }
    const value = this.value(key);
    return typeof value === 'boolean' ? value : this.refuse(key, 'true or false');
  }

  string(key: string, fallback?: string): string {
    if (!this.has(key) && fallback !== undefined) {
      return fallback;
    }
    const value = this.value(key);
    return typeof value === 'string' ? value : this.refuse(key, 'text');
  }

  /** The string under `key`, which must be one of `choices`. */
  choice<T extends string>(key: string, choices: readonly T[], fallback?: T): T {
    if (!this.has(key) && fallback !== undefined) {
      return fallback;
    }
    const found = choices.find((choice) => choice === this.value(key));
    return found ?? this.refuse(key, choices.length > 1 ? `one of ${choices.join(', ')}` : choices[0]!);
  }

  /** A non-empty list of strings, or one string. */
  names(key: string, fallback?: readonly string[] | string): readonly string[] | string {
    if (!this.has(key) && fallback !== undefined) {
      return fallback;
    }
    const value = this.value(key);
    const isList = Array.isArray(value) && value.every((name) => typeof name === 'string');
    if ((typeof value !== 'string' && !isList) || value.length === 0) {
      return this.refuse(key, 'a list of names or one text');
    }
    return value as readonly string[] | string;
  }

  /** The section under `key`; empty if absent. */
  section(key: string): Fields {
    return new Fields(this.file, this.value(key) ?? {}, `${this.#path}${key}.`, this.#remedy);
  }

  /** The keys requested so far, by the file's names, present or not. */
  asked(): ReadonlySet<string> {
    return this.#asked;
  }

  /** The keys never requested, by dotted path, with their values. */
  unasked(): [path: string, value: unknown][] {
    return Object.entries(this.values)
      .filter(([key]) => !this.#asked.has(key))
      .map(([key, value]) => [this.#path + key, value]);
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof PythonFloat || value instanceof NumberText)
  );
}

/** The number that a parsed JSON or YAML value represents. */
function toNumber(value: unknown): number | undefined {
  if (value instanceof PythonFloat) {
    return value.value;
  }
  if (value instanceof NumberText) {
    return value.toJSON();
  }
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}

function fits(value: number, { whole, min, above, max, below, wholeAbove }: NumberRule): boolean {
  return (
    (!(whole || value > (wholeAbove ?? Infinity)) || Number.isSafeInteger(value)) &&
    (min === undefined || value >= min) &&
    (above === undefined || value > above) &&
    (max === undefined || value <= max) &&
    (below === undefined || value < below)
  );
}

function describe({ whole, min, above, max, below, wholeAbove }: NumberRule): string {
  const bounds: string[] = [];
  if (min !== undefined) {
    bounds.push(`at least ${min}`);
  }
  if (above !== undefined) {
    bounds.push(`above ${above}`);
  }
  if (max !== undefined) {
    bounds.push(`at most ${max}`);
  }
  if (below !== undefined) {
    bounds.push(`below ${below}`);
  }
  const rule = [whole ? 'a whole number' : 'a number', bounds.join(' and ')].filter(Boolean).join(' ');
  return wholeAbove === undefined ? rule : `${rule}, and a whole one above ${wholeAbove}`;
}
