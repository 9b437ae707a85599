import { UserError } from '../formats/user-error.ts';
import type { AddedTokens } from './added-tokens.ts';
import type { JsonMap } from './row-fields.ts';

/** The last plane of private-use characters: no text means anything by them. */
const RESERVED = /[\u{100000}-\u{10fffd}]/u;
const STAND_INS = 0x100000;
const MARKS = 0x108000;
const MOST_MARKS = 0x3fff;

/**
 * Keeps control tokens that a user's text spells out apart from those that a chat template writes: before rendering,
 * each such spelling is replaced by one private-use character, and after the text is cut at control tokens it is put
 * back. (White space is never touched, so templates may still trim.)
 */
export class Disguise {
  private readonly spelled: RegExp | undefined;
  private readonly standIn = new Map<string, string>();
  private readonly literal: string[] = [];
  /** Spellings of control tokens that were hidden so far. */
  hidden = 0;

  constructor(added: AddedTokens) {
    const special = [...added.byContent.values()].filter((token) => token.special);
    for (const { content } of special) {
      this.standIn.set(content, String.fromCodePoint(STAND_INS + this.literal.length));
      this.literal.push(content);
    }
    this.spelled = added.pattern('special');
  }

  /** The text without any control token in it. Throws UserError where it holds a reserved character. */
  hide(text: string): string {
    const reserved = RESERVED.exec(text)?.[0];
    if (reserved) {
      const code = reserved.codePointAt(0)!.toString(16).toUpperCase();
      throw new UserError(`the private-use character U+${code} is reserved; remove it`);
    }
    if (!this.spelled) return text;
    return text.replace(this.spelled, (content) => {
      this.hidden++;
      return this.standIn.get(content)!;
    });
  }

  /** `hide` for every text inside a value whose objects are `Map`s. */
  hideAll(value: unknown): unknown {
    if (typeof value === 'string') return this.hide(value);
    if (Array.isArray(value)) return value.map((entry) => this.hideAll(entry));
    if (!(value instanceof Map)) return value;
    return new Map(
      [...(value as JsonMap)].map(([key, entry]) => [this.hide(key), this.hideAll(entry)] as const),
    );
  }

  /** Undoes `hide`. */
  reveal(text: string): string {
    if (!RESERVED.test(text)) return text;
    return text.replace(/[\u{100000}-\u{107fff}]/gu, (c) => this.literal[c.codePointAt(0)! - STAND_INS] ?? c);
  }
}

/** Marks a text's beginning and end with characters of its own, `index` from 0. */
export function mark(text: string, index: number): string {
  const at = MARKS + 2 * (index % MOST_MARKS);
  return String.fromCodePoint(at) + text + String.fromCodePoint(at + 1);
}

/** Takes the marks out of a text and says where they were: begin and end by index, in the text without marks. */
export function takeMarks(marked: string): {
  text: string;
  begins: Map<number, number>;
  ends: Map<number, number>;
} {
  const begins = new Map<number, number>();
  const ends = new Map<number, number>();
  let text = '';
  let done = 0;
  for (const match of marked.matchAll(/[\u{108000}-\u{10fffd}]/gu)) {
    text += marked.slice(done, match.index);
    done = match.index + match[0].length;
    const at = match[0].codePointAt(0)! - MARKS;
    (at % 2 === 0 ? begins : ends).set(at >> 1, text.length);
  }
  return { text: text + marked.slice(done), begins, ends };
}
