/** Python's white space (str.isspace), for a character class; strip, split and Jinja's lexer use the same. */
export const SPACE = '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
export const IS_SPACE = new RegExp(`[${SPACE}]`);
const PAIR = /[\ud800-\udbff][\udc00-\udfff]/;

/** Where a text's characters come from: 0 is the template, other numbers are its caller's. */
export type Origin = number;
const TEMPLATE: Origin = 0;

/**
 * A Python str that records the origin of each character, so that a control token written by the template can be
 * told from one that a message spells out, whatever the template did with the message. Python counts code points;
 * offsets here are UTF-16 units unless a name says `Points`.
 */
export class Str {
  readonly text: string;
  /** As long as `text`, an origin per unit; undefined if all of it is the template's. */
  readonly origins: string | undefined;
  /** Marked safe for HTML (Markup): text added to it is escaped. */
  readonly safe: boolean;

  private constructor(text: string, origins: string | undefined, safe = false) {
    this.text = text;
    this.origins = origins;
    this.safe = safe;
  }

  static of(text: string, origin: Origin = TEMPLATE): Str {
    return new Str(text, origin === TEMPLATE ? undefined : String.fromCharCode(origin).repeat(text.length));
  }

  static join(parts: readonly Str[], separator = EMPTY): Str {
    const between = separator.text === '' ? undefined : separator;
    const text = parts.map((part) => part.text).join(separator.text);
    const foreign =
      parts.some((part) => part.origins !== undefined) || (between?.origins && parts.length > 1);
    if (!foreign) {
      return new Str(text, undefined);
    }
    return new Str(text, parts.map((part) => part.allOrigins).join(separator.allOrigins));
  }

  get length(): number {
    return this.text.length;
  }

  get markedSafe(): Str {
    return new Str(this.text, this.origins, true);
  }

  get plain(): Str {
    return this.safe ? new Str(this.text, this.origins) : this;
  }

  originAt(at: number): Origin {
    return this.origins?.charCodeAt(at) ?? TEMPLATE;
  }

  slice(begin: number, end = this.text.length): Str {
    if (begin <= 0 && end >= this.text.length) {
      return this;
    }
    return new Str(this.text.slice(begin, end), this.origins?.slice(begin, end), this.safe);
  }

  plus(other: Str): Str {
    if (this.text === '' && !this.safe) {
      return other.plain;
    }
    if (other.text === '') {
      return this.plain;
    }
    const foreign = this.origins !== undefined || other.origins !== undefined;
    return new Str(this.text + other.text, foreign ? this.allOrigins + other.allOrigins : undefined);
  }

  times(count: number): Str {
    if (count <= 0) {
      return EMPTY;
    }
    return new Str(this.text.repeat(count), this.origins?.repeat(count), this.safe);
  }

  /** With every match of a global pattern replaced; a replacement has the origin of its match. */
  replaceEach(pattern: RegExp, replacement: (match: string) => string): Str {
    if (this.origins === undefined) {
      return new Str(this.text.replace(pattern, replacement), undefined);
    }
    let text = '';
    let origins = '';
    let done = 0;
    for (const match of this.text.matchAll(pattern)) {
      const put = replacement(match[0]);
      text += this.text.slice(done, match.index) + put;
      origins += this.origins.slice(done, match.index) + this.origins[match.index]!.repeat(put.length);
      done = match.index + match[0].length;
    }
    return new Str(text + this.text.slice(done), origins + this.origins.slice(done));
  }

  /** Mapped as a whole; `each` maps a single code point, which tells how many characters it became. */
  mapped(whole: (text: string) => string, each: (point: string) => string = whole): Str {
    const text = whole(this.text);
    if (this.origins === undefined || text.length === this.text.length) {
      return new Str(text, this.origins, this.safe);
    }
    let at = 0;
    let origins = '';
    for (const point of this.text) {
      origins += this.origins[at]!.repeat(each(point).length);
      at += point.length;
    }
    return new Str(text, origins, this.safe);
  }

  /** Its code points, each as a Str. */
  *points(): Generator<Str> {
    for (let at = 0; at < this.text.length;) {
      const end = at + String.fromCodePoint(this.text.codePointAt(at)!).length;
      yield this.slice(at, end);
      at = end;
    }
  }

  get lengthInPoints(): number {
    return this.#simple ? this.text.length : pointsIn(this.text);
  }

  /** The index of the unit at which the code point of that number begins. */
  unitOf(point: number): number {
    if (this.#simple) {
      return Math.min(point, this.text.length);
    }
    let at = 0;
    for (let n = 0; n < point && at < this.text.length; n++) {
      at += this.text.codePointAt(at)! > 0xffff ? 2 : 1;
    }
    return at;
  }

  /** The number of the code point that begins at a unit. */
  pointOf(unit: number): number {
    return this.#simple ? unit : pointsIn(this.text.slice(0, unit));
  }

  get #simple(): boolean {
    return !PAIR.test(this.text);
  }

  private get allOrigins(): string {
    return this.origins ?? '\0'.repeat(this.text.length);
  }
}

export const EMPTY = Str.of('');

export function pointsIn(text: string): number {
  let count = 0;
  for (let at = 0; at < text.length; count++) {
    at += text.codePointAt(at)! > 0xffff ? 2 : 1;
  }
  return count;
}

export const isSpace = (character: string): boolean => IS_SPACE.test(character);

/**
 * The text without trailing white space, which is searched by hand, because a regular expression would restart at
 * each run.
 */
export function trimEnd(text: string): string {
  let end = text.length;
  while (end > 0 && isSpace(text[end - 1]!)) {
    end--;
  }
  return text.slice(0, end);
}
