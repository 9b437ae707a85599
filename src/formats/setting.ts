import { Fields, isRecord, type NumberRule } from './fields.ts';
import { quote } from './quote.ts';

interface Words {
  /** The key in a file. */
  readonly key: string;
  /** Another key that means the same, where the file says both if with one value. */
  readonly synonym?: string;
  /** The key of earlier versions, which counts where the file does not have today's. */
  readonly formerly?: string;
  /** Its name on the page. */
  readonly label: string;
  /** What stands below its input: unit, and what it does. */
  readonly hint: string;
}

interface NumberKind {
  readonly kind: 'number';
  readonly range: NumberRule;
  /** What null in a file stands for: no limit. */
  readonly none?: number;
  /** No limit is written as null. */
  readonly writesNull?: true;
  /** A file says from here up to below the range that it is not set. */
  readonly unsetFrom?: number;
}

/** A setting's name, kind and words. `kind` says what its values are. */
export type Setting = Words &
  (
    | NumberKind
    | { readonly kind: 'choice'; readonly choices: readonly string[] }
    | { readonly kind: 'boolean' }
    /** A list of names, or one text. */
    | { readonly kind: 'names' }
    /** A list of texts, of at most so many, and so many characters each. */
    | { readonly kind: 'texts'; readonly most: number; readonly longest: number }
    /** Numbers by name. */
    | { readonly kind: 'numbers' }
    | { readonly kind: 'text' }
  ) & {
    /** The value if the key is absent. */
    readonly default?: unknown;
    /** The value where nothing is said, of a setting that is left out where it has this value; undefined: none. */
    readonly usual?: unknown;
  };

/** Settings, by the property that holds each. */
export type SettingTable<S extends Setting = Setting> = Readonly<Record<string, S>>;

/** What a setting holds. */
type ValueOf<S> = S extends { readonly choices: readonly (infer Choice)[] }
  ? Choice
  : S extends { readonly kind: 'number' }
    ? number
    : S extends { readonly kind: 'boolean' }
      ? boolean
      : S extends { readonly kind: 'names' }
        ? readonly string[] | string
        : S extends { readonly kind: 'texts' }
          ? readonly string[]
          : S extends { readonly kind: 'numbers' }
            ? Readonly<Record<string, number>>
            : string;

/** The values of a table's settings; those with a usual value are left out where they have it. */
export type Settings<T> = {
  readonly [P in keyof T as T[P] extends { readonly usual: unknown } ? never : P]: ValueOf<T[P]>;
} & {
  readonly [P in keyof T as T[P] extends { readonly usual: unknown } ? P : never]?: Exclude<
    ValueOf<T[P]>,
    T[P] extends { readonly usual: infer Usual } ? Usual : never
  >;
};

/** Reads a table's settings. `defaults` come before the table's own. Throws UserError naming the key. */
export function readSettings<T extends SettingTable>(
  file: Fields,
  table: T,
  defaults: Partial<Settings<T>> = {},
): Settings<T> {
  const given: Readonly<Record<string, unknown>> = defaults;
  const values = Object.entries(table).map(
    ([property, setting]) => [property, readSetting(file, setting, given[property])] as const,
  );
  return Object.fromEntries(values.filter(([, value]) => value !== undefined)) as Settings<T>;
}

/** One setting's value; undefined where that is its usual one. Throws UserError naming the key. */
export function readSetting(file: Fields, setting: Setting, fallback?: unknown): unknown {
  const value = valueIn(file, setting, fallback ?? setting.default ?? setting.usual);
  return value === setting.usual ? undefined : value;
}

/** `fallback` is of the setting's kind. */
function valueIn(file: Fields, setting: Setting, fallback: unknown): unknown {
  const key = keyIn(file, setting);
  if (fallback === undefined && 'usual' in setting && !file.has(key)) {
    return undefined;
  }
  switch (setting.kind) {
    case 'number':
      return readNumber(file, key, setting, fallback as number | undefined);
    case 'choice':
      // YAML 1.1 reads an unquoted no as false.
      if (file.value(key) === false && setting.choices.includes('no')) {
        return 'no';
      }
      return file.choice(key, setting.choices, fallback as string | undefined);
    case 'boolean':
      return file.boolean(key, fallback as boolean | undefined);
    case 'names':
      return file.names(key, fallback as readonly string[] | string | undefined);
    case 'texts':
      return readTexts(file, key, setting);
    case 'numbers':
      return readNumbers(file, key);
    case 'text':
      return file.string(key, fallback as string | undefined);
  }
}

/** The key to read a setting under. */
function keyIn(file: Fields, { key, synonym, formerly }: Setting): string {
  if (formerly !== undefined && !file.has(key)) {
    return formerly;
  }
  if (synonym === undefined) {
    return key;
  }
  const [first = key, second] = [key, synonym].filter((name) => file.value(name) !== undefined);
  if (second !== undefined && file.value(second) !== file.value(first)) {
    file.refuse(
      second,
      `the same as ${file.nameOf(first)} (${quote(file.value(first))}), which means the same`,
    );
  }
  return first;
}

function readNumber(
  file: Fields,
  key: string,
  { range, none, unsetFrom }: NumberKind,
  fallback: number | undefined,
): number | undefined {
  if (none !== undefined && file.isNull(key)) {
    return none;
  }
  if (unsetFrom === undefined) {
    return file.number(key, range, fallback);
  }
  const value = file.number(key, { ...range, min: unsetFrom }, fallback);
  return value < range.min! ? undefined : value;
}

/** None where there are none; one text is a list of one. */
function readTexts(
  file: Fields,
  key: string,
  { most, longest }: { readonly most: number; readonly longest: number },
): readonly string[] | undefined {
  const given = file.value(key) ?? [];
  const texts: unknown = typeof given === 'string' ? [given] : given;
  const isText = (text: unknown): text is string => typeof text === 'string' && text.trim() !== '';
  if (!Array.isArray(texts) || !texts.every(isText)) {
    return file.refuse(key, 'a list of texts, none of them empty');
  }
  if (texts.length > most) {
    return file.refuse(key, `at most ${most} texts`);
  }
  if (texts.some(({ length }) => length > longest)) {
    return file.refuse(key, `texts of at most ${longest} characters`);
  }
  return texts.length === 0 ? undefined : texts;
}

/** None where there are none. */
function readNumbers(file: Fields, key: string): Record<string, number> | undefined {
  const numbers = new Fields(file.file, recordIn(file, key), `${file.nameOf(key)}.`);
  const named = Object.keys(numbers.values).filter((name) => numbers.has(name));
  if (named.length === 0) {
    return undefined;
  }
  return Object.fromEntries(named.map((name) => [name, numbers.number(name, { min: 0 })] as const));
}

/** Names and numbers, which some files hold as JSON in a text. Throws UserError. */
export function recordIn(file: Fields, key: string): Record<string, unknown> {
  if (!file.has(key)) {
    return {};
  }
  const value = file.value(key);
  if (typeof value !== 'string') {
    return isRecord(value) ? value : file.refuse(key, 'names and numbers');
  }
  try {
    const json: unknown = JSON.parse(value === '' ? '{}' : value);
    if (isRecord(json)) {
      return json;
    }
  } catch {
    // Told below.
  }
  return file.refuse(key, 'names and numbers');
}

/** The values under their keys, for a file that `readSettings` reads back to the same. */
export function settingKeys<T extends SettingTable>(table: T, values: Settings<T>): Record<string, unknown> {
  const given: Readonly<Record<string, unknown>> = values;
  return Object.fromEntries(
    Object.entries(table)
      .filter(([property]) => given[property] !== undefined)
      .map(([property, setting]) => [setting.key, written(setting, given[property])] as const),
  );
}

const written = (setting: Setting, value: unknown): unknown =>
  setting.kind === 'number' && setting.writesNull && value === setting.none ? null : value;
