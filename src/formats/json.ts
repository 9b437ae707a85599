import type { ByteSource } from './byte-source.ts';
import { readAll } from './byte-source.ts';
import { UserError } from './user-error.ts';
import { decodeUtf8 } from './utf8.ts';

/** A number that is a float to Python even where its value is whole (0.0, 1e3), and must be rewritten as one. */
export class PythonFloat {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

/** A number as its file spells it: 3.50, or more digits than a double holds. In messages it looks like a number. */
export class NumberText {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }

  toJSON(): number {
    return Number(this.text);
  }
}

/** How numbers come back: as such, whole floats as `PythonFloat`, or all as `NumberText`. */
export interface JsonOptions {
  readonly keepFloats?: boolean;
  readonly keepNumberText?: boolean;
}

/** Where and why a text is not JSON; `line` and `column` count from 1. */
export class JsonError extends Error {
  readonly line: number;
  readonly column: number;
  constructor(problem: string, text: string, at: number) {
    super(problem);
    const before = text.slice(0, at);
    this.line = before.split('\n').length;
    this.column = at - before.lastIndexOf('\n');
  }
}

const SPACE = /[ \t\n\r]*/y;
// eslint-disable-next-line no-control-regex -- JSON forbids raw control characters in strings
const STRING = /"(?:[^"\\\u0000-\u001f]+|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORDS = new Map<string, unknown>([
  ['true', true],
  ['false', false],
  ['null', null],
]);
/** Deeper nesting is an attack on the stack, not a model file (serde's limit, too). */
const MAX_DEPTH = 127;

/**
 * Parses JSON strictly; unlike JSON.parse it refuses duplicate keys. Objects have no prototype, so that every key is
 * data. Throws JsonError.
 */
export function parseJson(
  text: string,
  { keepFloats = false, keepNumberText = false }: JsonOptions = {},
): unknown {
  let at = 0;
  const fail = (problem: string, where = at): never => {
    throw new JsonError(problem, text, where);
  };
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    if (found !== undefined) at += found.length;
    return found;
  };
  const next = (): string => {
    match(SPACE);
    return text[at] ?? '';
  };
  const eat = (char: string): boolean => {
    if (next() !== char) return false;
    at++;
    return true;
  };
  const string = (): string => {
    const token = match(STRING) ?? fail('a string was expected');
    return token.includes('\\') ? (JSON.parse(token) as string) : token.slice(1, -1);
  };
  const number = (): unknown => {
    const token = match(NUMBER) ?? fail(at < text.length ? 'a value was expected' : 'it ends too early');
    if (keepNumberText) return new NumberText(token);
    const value = Number(token);
    return keepFloats && Number.isInteger(value) && /[.eE]/.test(token) ? new PythonFloat(value) : value;
  };
  const object = (depth: number): Record<string, unknown> => {
    const result = Object.create(null) as Record<string, unknown>;
    if (eat('}')) return result;
    do {
      next();
      const keyAt = at;
      const key = string();
      if (key in result) fail(`the key ${JSON.stringify(key)} occurs twice`, keyAt);
      if (!eat(':')) fail('":" was expected');
      result[key] = value(depth);
    } while (eat(','));
    return eat('}') ? result : fail('"," or "}" was expected');
  };
  const array = (depth: number): unknown[] => {
    const result: unknown[] = [];
    if (eat(']')) return result;
    do result.push(value(depth));
    while (eat(','));
    return eat(']') ? result : fail('"," or "]" was expected');
  };
  const value = (depth: number): unknown => {
    const first = next();
    if (depth > MAX_DEPTH) fail('it is nested too deeply');
    if (first === '"') return string();
    if (eat('{')) return object(depth + 1);
    if (eat('[')) return array(depth + 1);
    for (const [word, meaning] of WORDS) {
      if (text.startsWith(word, at)) {
        at += word.length;
        return meaning;
      }
    }
    return number();
  };
  const result = value(0);
  if (next() !== '') fail('there is more text after its end');
  return result;
}

/** Reads and parses a JSON file, with or without a byte-order mark; throws UserError naming the line. */
export async function readJson(source: ByteSource, options?: JsonOptions): Promise<unknown> {
  const text = decodeUtf8(await readAll(source))?.replace(/^\ufeff/, '');
  if (text === undefined) {
    throw new UserError(
      `${source.name}: not valid UTF-8, expected a JSON file; download or export it again.`,
    );
  }
  try {
    return parseJson(text, options);
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    throw new UserError(
      `${source.name}: not valid JSON at line ${error.line}, column ${error.column}: ${error.message}; correct the file or download it again.`,
    );
  }
}
