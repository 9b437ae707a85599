// Reference: Jinja2, src/jinja2/lexer.py.
import { TemplateFault, unsupported } from './faults.ts';
import { isSpace, trimEnd } from './str.ts';

/**
 * A token of a template. Data is the text between tags; the tags' delimiters are `{{`, `}}`, `{%` and `%}`; an
 * operator's type is its spelling.
 */
export interface Token {
  type: string;
  /** The text of data, strings (unescaped), numbers and names. */
  value: string;
  /** From 1. */
  line: number;
}

/** Fifty times the longest of 184 published templates, which has 19,574 bytes. */
const MAX_TEMPLATE = 1_000_000;
const MAX_TOKENS = 100_000;
/** Python converts no text with more digits into an int. */
export const MAX_DIGITS = 4300;

const NAME = /[\p{ID_Start}\p{ID_Continue}_]+/uy;
const IDENTIFIER = /^[\p{ID_Start}_]\p{ID_Continue}*$/u;
const FLOAT = /\d+(?:_\d+)*(?:(?:\.\d+(?:_\d+)*)?[eE][+-]?\d+(?:_\d+)*|\.\d+(?:_\d+)*)/y;
const INTEGER = /0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0[xX](?:_?[\da-fA-F])+|[1-9](?:_?\d)*|0(?:_?0)*/y;
const OPERATOR = /\/\/|\*\*|==|!=|>=|<=|[-+/*%~[\](){}><=.:|,;]/y;
const CLOSING = new Map([
  ['(', ')'],
  ['[', ']'],
  ['{', '}'],
]);

/**
 * Splits a template into tokens as Jinja2's lexer does with trim_blocks and lstrip_blocks, transformers' settings.
 * Line ends become "
 * " and the last one is dropped. Throws TemplateFault.
 */
export function tokenize(template: string): Token[] {
  if (template.length > MAX_TEMPLATE) {
    throw new TemplateFault('limit', `it is longer than ${MAX_TEMPLATE.toLocaleString('en-US')} characters`);
  }
  const source = template.replace(/\r\n?/g, '\n').replace(/\n$/, '');
  return new Lexer(source).tokens;
}

class Lexer {
  readonly tokens: Token[] = [];
  readonly #source: string;
  #at = 0;
  /** Where lines were last counted. */
  #counted = 0;
  #line = 1;
  /** Whether the last text read ends a line. */
  #lineStarts = true;

  constructor(source: string) {
    this.#source = source;
    while (this.#at < source.length) {
      this.#root();
    }
  }

  /** Data up to the next tag, and the tag. */
  #root(): void {
    const source = this.#source;
    const begin = this.#at;
    let open = source.indexOf('{', begin);
    while (open >= 0 && !'{%#'.includes(source[open + 1] ?? ' ')) {
      open = source.indexOf('{', open + 1);
    }
    if (open < 0) {
      this.#push('data', source.slice(begin));
      this.#at = source.length;
      return;
    }
    const kind = source[open + 1]!;
    const sign = this.#signAt(open + 2);
    this.#push('data', this.#stripped(source.slice(begin, open), sign, kind === '{'));
    this.#at = open + 2 + sign.length;
    if (kind === '#') {
      this.#comment();
    } else if (kind === '%' && this.#raw()) {
      return;
    } else {
      this.#tag(kind === '%' ? '{%' : '{{');
    }
  }

  #signAt(at: number): string {
    const sign = this.#source[at];
    return sign === '-' || sign === '+' ? sign : '';
  }

  /** Text before a tag, without the white space that the tag strips. */
  #stripped(text: string, sign: string, isPrint: boolean): string {
    if (sign === '-') {
      return trimEnd(text);
    }
    if (sign === '+' || isPrint) {
      return text;
    }
    const lineAt = text.lastIndexOf('\n') + 1;
    if (lineAt === 0 && !this.#lineStarts) {
      return text;
    }
    return lineAt === text.length || trimEnd(text).length > lineAt ? text : text.slice(0, lineAt);
  }

  #comment(): void {
    const close = this.#source.indexOf('#}', this.#at);
    if (close < 0) {
      this.#fail('Missing end of comment tag');
    }
    // The opening tag's sign is not the closing tag's.
    const sign = close > this.#at ? this.#signAt(close - 1) : '';
    this.#close(close + 2, sign, true);
  }

  /** Text between raw and endraw is literal. */
  #raw(): boolean {
    const open = /\s*raw\s*(-%\}|%\})/y;
    open.lastIndex = this.#at;
    const match = open.exec(this.#source);
    if (!match) {
      return false;
    }
    this.#at = open.lastIndex;
    if (match[1] === '-%}') {
      this.#skipSpace();
    }
    this.#lineStarts = this.#source[this.#at - 1] === '\n';
    const begin = this.#at;
    for (let at = begin; (at = this.#source.indexOf('{%', at)) >= 0; at += 2) {
      const close = /\{%([-+]?)\s*endraw\s*([-+]?)%\}/y;
      close.lastIndex = at;
      const end = close.exec(this.#source);
      if (!end) {
        continue;
      }
      this.#push('data', this.#stripped(this.#source.slice(begin, at), end[1]!, false));
      this.#close(close.lastIndex, end[2]!, true);
      return true;
    }
    this.#fail('Missing end of raw directive');
  }

  /** The tokens of a statement or a printed expression. */
  #tag(open: '{%' | '{{'): void {
    const source = this.#source;
    const close = open === '{%' ? '%}' : '}}';
    const expected: string[] = [];
    this.#push(open, open);
    for (;;) {
      this.#skipSpace();
      if (this.#at >= source.length) {
        this.#fail('unexpected end of template');
      }
      if (expected.length === 0) {
        const sign = this.#signAt(this.#at);
        const ends = source.startsWith(close, this.#at + sign.length);
        if (ends && !(sign === '+' && open === '{{')) {
          this.#push(close, close);
          this.#close(this.#at + sign.length + 2, sign, open === '{%');
          return;
        }
      }
      this.#expressionToken(expected);
    }
  }

  /** Continues after a tag that ends at `end`: `-` strips white space; otherwise a block strips a line end. */
  #close(end: number, sign: string, isBlock: boolean): void {
    this.#at = end;
    if (sign === '-') {
      this.#skipSpace();
    } else if (isBlock && sign !== '+' && this.#source[end] === '\n') {
      this.#at++;
    }
    this.#lineStarts = this.#source[this.#at - 1] === '\n';
  }

  #expressionToken(expected: string[]): void {
    const character = this.#source[this.#at]!;
    if (character === "'" || character === '"') {
      return this.#string(character);
    }
    const afterDot = this.#source[this.#at - 1] === '.';
    const float = afterDot ? undefined : this.#match(FLOAT);
    if (float !== undefined) {
      const digits = float.replaceAll('_', '');
      if (!Number.isFinite(Number(digits))) {
        throw unsupported('a float that large');
      }
      return this.#push('float', digits);
    }
    const integer = this.#match(INTEGER);
    if (integer !== undefined) {
      if (integer.length > MAX_DIGITS) {
        this.#fail('an integer has too many digits');
      }
      return this.#push('integer', integer.replaceAll('_', ''));
    }
    const name = this.#match(NAME);
    if (name !== undefined) {
      if (!IDENTIFIER.test(name)) {
        this.#fail('Invalid character in identifier');
      }
      return this.#push('name', name);
    }
    const operator = this.#match(OPERATOR);
    if (operator === undefined) {
      this.#fail(`unexpected char ${JSON.stringify(character)}`);
    }
    const closing = CLOSING.get(operator);
    if (closing) {
      expected.push(closing);
    } else if ([...CLOSING.values()].includes(operator) && expected.pop() !== operator) {
      this.#fail(`unexpected '${operator}'`);
    }
    this.#push(operator, operator);
  }

  #string(quote: string): void {
    const begin = this.#at + 1;
    let end = begin;
    while (end < this.#source.length && this.#source[end] !== quote) {
      end += this.#source[end] === '\\' ? 2 : 1;
    }
    if (end >= this.#source.length) {
      this.#fail(`unexpected char ${JSON.stringify(quote)}`);
    }
    this.#push('string', this.#unescaped(this.#source.slice(begin, end)));
    this.#at = end + 1;
  }

  /** Decoded as by Python's unicode-escape codec after escaping everything beyond ASCII. */
  #unescaped(text: string): string {
    if (!text.includes('\\')) {
      return text;
    }
    const escape =
      /\\(?:([0-7]{1,3})|x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([xuUN])|([^\0-\x7f])|([^]))/gu;
    return text.replace(escape, (all, octal, two, four, eight, special, beyond, plain) => {
      const hex = (two ?? four ?? eight) as string | undefined;
      if (octal !== undefined) {
        return String.fromCodePoint(parseInt(octal as string, 8));
      }
      if (hex !== undefined) {
        const code = parseInt(hex, 16);
        if (code > 0x10ffff) {
          this.#fail('illegal Unicode character');
        }
        if (code >= 0xd800 && code < 0xe000) {
          throw unsupported('half a surrogate pair in a string');
        }
        return String.fromCodePoint(code);
      }
      if (special === 'N') {
        throw unsupported('a character by its name (\\N{…}) in a string');
      }
      if (special !== undefined) {
        this.#fail(`truncated \\${special as string} escape`);
      }
      // Python turns é into \xe9 first, so that a backslash before it yields that text.
      if (beyond !== undefined) {
        return `\\${pythonEscape(beyond as string)}`;
      }
      return ESCAPES.get(plain as string) ?? (all as string);
    });
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#source)?.[0];
    if (found !== undefined) {
      this.#at += found.length;
    }
    return found;
  }

  #skipSpace(): void {
    while (this.#at < this.#source.length && isSpace(this.#source[this.#at]!)) {
      this.#at++;
    }
  }

  #push(type: string, value: string): void {
    if (type === 'data' && value === '') {
      return;
    }
    if (this.tokens.length >= MAX_TOKENS) {
      throw new TemplateFault('limit', 'it has more tags and words than any chat template');
    }
    this.tokens.push({ type, value, line: this.#lineNow() });
  }

  #lineNow(): number {
    for (; this.#counted < this.#at; this.#counted++) {
      if (this.#source[this.#counted] === '\n') {
        this.#line++;
      }
    }
    return this.#line;
  }

  #fail(problem: string): never {
    throw new TemplateFault('syntax', problem, this.#lineNow());
  }
}

const ESCAPES = new Map([
  ['\n', ''],
  ['\\', '\\'],
  ["'", "'"],
  ['"', '"'],
  ['a', '\x07'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['v', '\v'],
]);

/** A character beyond ASCII as Python's backslashreplace writes it, without the backslash. */
function pythonEscape(character: string): string {
  const hex = character.codePointAt(0)!.toString(16);
  if (hex.length <= 2) {
    return `x${hex.padStart(2, '0')}`;
  }
  return hex.length <= 4 ? `u${hex.padStart(4, '0')}` : `U${hex.padStart(8, '0')}`;
}
