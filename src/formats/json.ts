// References: CPython, Lib/json (numbers); serde_json (nesting limit).
import type { ByteSource } from './byte-source.ts';
import { isLfsPointer, lfsError } from './lfs-pointer.ts';
import { quote } from './quote.ts';
import { MAX_BYTES, readText } from './read-text.ts';
import { UserError } from './user-error.ts';

/** A number that is a float in Python even if its value is whole (0.0, 1e3), and must be written back as one. */
export class PythonFloat {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }

  toString(): string {
    return Number.isInteger(this.value) ? this.value.toFixed(1) : String(this.value);
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

  toString(): string {
    return this.text;
  }
}

/**
 * How values are returned. Numbers: as such; with `keepFloats`, as Python would write them back (whole floats as
 * `PythonFloat`, integers beyond a double's range as `NumberText`); or all as `NumberText`. Objects: plain, which
 * JavaScript reorders if keys look like numbers, or as `Map`s in file order.
 */
export interface JsonOptions {
  readonly keepFloats?: boolean;
  readonly keepNumberText?: boolean;
  readonly keepKeyOrder?: boolean;
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
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORDS = new Map<string, unknown>([
  ['true', true],
  ['false', false],
  ['null', null],
]);
/** Deeper nesting is an attack on the stack, not a model file (serde_json has the same limit). */
const MAX_DEPTH = 127;
const [QUOTE, BACKSLASH, FIRST_PRINTABLE] = [0x22, 0x5c, 0x20];
const ESCAPES = '"\\/bfnrt';
const HEX = /^[0-9a-fA-F]{4}$/;

/**
 * The index after the closing quote of the string that opens at `begin`. One pass without backtracking, because a
 * regular expression for this takes exponential time on a truncated string. Calls `fail` if it is no valid string.
 */
function scanString(text: string, begin: number, fail: (problem: string, where: number) => never): number {
  for (let at = begin + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      return at + 1;
    }
    if (code < FIRST_PRINTABLE) {
      const shown = `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
      fail(`the control character ${shown} stands in a string, where JSON has ${escapeOf(code)} for it`, at);
    }
    if (code !== BACKSLASH) {
      continue;
    }
    const escape = text[at + 1];
    if (escape === undefined) {
      break;
    }
    if (escape === 'u') {
      if (!HEX.test(text.slice(at + 2, at + 6))) {
        fail('\\u in a string is not followed by four hex digits', at);
      }
      at += 5;
    } else if (ESCAPES.includes(escape)) {
      at++;
    } else {
      fail(`a backslash before ${JSON.stringify(escape)} is no escape of JSON`, at);
    }
  }
  return fail('a string has no closing quote', begin);
}

/** The escape of a control character: \n, \u0001. */
const escapeOf = (code: number): string => JSON.stringify(String.fromCharCode(code)).slice(1, -1);

/**
 * Parses JSON strictly, in time linear in the text; unlike JSON.parse, it refuses duplicate keys. Objects have no
 * prototype, so that every key is data. Throws JsonError.
 */
export function parseJson(
  text: string,
  { keepFloats = false, keepNumberText = false, keepKeyOrder = false }: JsonOptions = {},
): unknown {
  let at = 0;
  const fail = (problem: string, where = at): never => {
    throw new JsonError(problem, text, where);
  };
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    if (found !== undefined) {
      at += found.length;
    }
    return found;
  };
  const next = (): string => {
    match(SPACE);
    return text[at] ?? '';
  };
  const eat = (char: string): boolean => {
    if (next() !== char) {
      return false;
    }
    at++;
    return true;
  };
  const string = (): string => {
    if (text.charCodeAt(at) !== QUOTE) {
      fail('a string was expected');
    }
    const token = text.slice(at, scanString(text, at, fail));
    at += token.length;
    return token.includes('\\') ? (JSON.parse(token) as string) : token.slice(1, -1);
  };
  const number = (): unknown => {
    const begin = at;
    const token = match(NUMBER) ?? fail(at < text.length ? 'a value was expected' : 'it ends too early');
    if (keepNumberText) {
      return new NumberText(token);
    }
    const value = Number(token);
    // As in serde_json: infinity could not be written back as JSON.
    if (!Number.isFinite(value)) {
      fail('a number is larger than a double holds', begin);
    }
    if (!keepFloats || !Number.isInteger(value)) {
      return value;
    }
    if (/[.eE]/.test(token)) {
      return new PythonFloat(value);
    }
    return Number.isSafeInteger(value) ? value : new NumberText(token);
  };
  const object = (depth: number): Map<string, unknown> | Record<string, unknown> => {
    const entries = new Map<string, unknown>();
    if (!eat('}')) {
      do {
        next();
        const keyAt = at;
        const key = string();
        if (entries.has(key)) {
          fail(`the key ${quote(key)} occurs twice`, keyAt);
        }
        if (!eat(':')) {
          fail('":" was expected');
        }
        entries.set(key, value(depth));
      } while (eat(','));
      if (!eat('}')) {
        fail('"," or "}" was expected');
      }
    }
    return keepKeyOrder ? entries : withoutPrototype(entries);
  };
  const array = (depth: number): unknown[] => {
    const result: unknown[] = [];
    if (eat(']')) {
      return result;
    }
    do {
      result.push(value(depth));
    } while (eat(','));
    return eat(']') ? result : fail('"," or "]" was expected');
  };
  const value = (depth: number): unknown => {
    const first = next();
    if (depth > MAX_DEPTH) {
      fail('it is nested too deeply');
    }
    if (first === '"') {
      return string();
    }
    if (eat('{')) {
      return object(depth + 1);
    }
    if (eat('[')) {
      return array(depth + 1);
    }
    for (const [word, meaning] of WORDS) {
      if (text.startsWith(word, at)) {
        at += word.length;
        return meaning;
      }
    }
    return number();
  };
  const result = value(0);
  if (next() !== '') {
    fail('there is more text after its end');
  }
  return result;
}

function withoutPrototype(entries: ReadonlyMap<string, unknown>): Record<string, unknown> {
  const result = Object.create(null) as Record<string, unknown>;
  for (const [key, value] of entries) {
    result[key] = value;
  }
  return result;
}

/**
 * Reads and parses a JSON file of at most `maxBytes`, with or without a byte-order mark. Throws UserError naming
 * the line.
 */
export async function readJson(
  source: ByteSource,
  options?: JsonOptions,
  maxBytes: number = MAX_BYTES.own,
): Promise<unknown> {
  return parseJsonFile(await readText(source, maxBytes, 'a JSON file'), source.name, options);
}

/** Parses the text of a JSON file. Throws UserError naming the line. */
export function parseJsonFile(text: string, file: string, options?: JsonOptions): unknown {
  try {
    return parseJson(text, options);
  } catch (error) {
    if (!(error instanceof JsonError)) {
      throw error;
    }
    if (isLfsPointer(text)) {
      throw lfsError(file);
    }
    throw new UserError(
      `${file}: not valid JSON at line ${error.line}, column ${error.column}: ${error.message}; correct the file or download it again.`,
    );
  }
}
