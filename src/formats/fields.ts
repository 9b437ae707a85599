import { PythonFloat } from './json.ts';
import { quote } from './quote.ts';
import { UserError } from './user-error.ts';

/** What a number may be. Bounds are inclusive, but for `above` and `below`. */
export interface NumberRule {
  readonly whole?: boolean;
  readonly min?: number;
  readonly above?: number;
  readonly max?: number;
  readonly below?: number;
}

/** Typed access to the keys of a parsed file. Null counts as absent. Every refusal is a UserError naming file and key. */
export class Fields {
  readonly file: string;
  readonly values: Readonly<Record<string, unknown>>;
  readonly #asked = new Set<string>();
  readonly #path: string;
  readonly #remedy: string;

  /** `path` is prefixed to keys in messages ("training."); `remedy` says what to do and ends every sentence. */
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

  refuse(key: string, expected: string): never {
    const found = this.has(key) ? quote(this.values[key]) : 'missing';
    throw new UserError(
      `${this.file}: ${this.#path}${key} is ${found}, expected ${expected}; ${this.#remedy}.`,
    );
  }

  has(key: string): boolean {
    this.#asked.add(key);
    return this.values[key] !== undefined && this.values[key] !== null;
  }

  isEmpty(): boolean {
    return Object.keys(this.values).length === 0;
  }

  /** A number, or a string that spells one (YAML reads 5e-5 as text). */
  number(key: string, rule: NumberRule, fallback?: number): number {
    if (!this.has(key) && fallback !== undefined) return fallback;
    const value = toNumber(this.values[key]);
    if (value === undefined || !fits(value, rule)) return this.refuse(key, describe(rule));
    return value;
  }

  boolean(key: string, fallback?: boolean): boolean {
    if (!this.has(key) && fallback !== undefined) return fallback;
    const value = this.values[key];
    return typeof value === 'boolean' ? value : this.refuse(key, 'true or false');
  }

  string(key: string, fallback?: string): string {
    if (!this.has(key) && fallback !== undefined) return fallback;
    const value = this.values[key];
    return typeof value === 'string' ? value : this.refuse(key, 'text');
  }

  /** The string under `key`, which must be one of `choices`. */
  choice<T extends string>(key: string, choices: readonly T[], fallback?: T): T {
    if (!this.has(key) && fallback !== undefined) return fallback;
    const found = choices.find((choice) => choice === this.values[key]);
    return found ?? this.refuse(key, choices.length > 1 ? `one of ${choices.join(', ')}` : choices[0]!);
  }

  /** A list of texts or one text, never empty. */
  names(key: string, fallback?: readonly string[]): readonly string[] | string {
    if (!this.has(key) && fallback) return fallback;
    const value = this.values[key];
    const isList = Array.isArray(value) && value.every((name) => typeof name === 'string');
    if ((typeof value !== 'string' && !isList) || value.length === 0) {
      return this.refuse(key, 'a list of names or one text');
    }
    return value as readonly string[] | string;
  }

  /** The keys under `key`; none where it is absent. */
  section(key: string): Fields {
    this.#asked.add(key);
    return new Fields(this.file, this.values[key] ?? {}, `${this.#path}${key}.`, this.#remedy);
  }

  /** The keys that nobody asked for, by their dotted path, with their values. */
  unasked(): [path: string, value: unknown][] {
    return Object.entries(this.values)
      .filter(([key]) => !this.#asked.has(key))
      .map(([key, value]) => [this.#path + key, value]);
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof PythonFloat)
  );
}

/** The number that a parsed JSON or YAML value stands for. */
function toNumber(value: unknown): number | undefined {
  if (value instanceof PythonFloat) return value.value;
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}

function fits(value: number, { whole, min, above, max, below }: NumberRule): boolean {
  return (
    (!whole || Number.isSafeInteger(value)) &&
    (min === undefined || value >= min) &&
    (above === undefined || value > above) &&
    (max === undefined || value <= max) &&
    (below === undefined || value < below)
  );
}

function describe({ whole, min, above, max, below }: NumberRule): string {
  const bounds: string[] = [];
  if (min !== undefined) bounds.push(`at least ${min}`);
  if (above !== undefined) bounds.push(`above ${above}`);
  if (max !== undefined) bounds.push(`at most ${max}`);
  if (below !== undefined) bounds.push(`below ${below}`);
  return [whole ? 'a whole number' : 'a number', bounds.join(' and ')].filter(Boolean).join(' ');
}
