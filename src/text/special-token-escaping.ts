import { UserError } from '../formats/user-error.ts';
import type { AddedTokens } from './added-tokens.ts';
import type { Span } from './span.ts';

/** Private-use characters of the last plane: no text uses them with a meaning. */
const RESERVED = /[\u{100000}-\u{10fffd}]/u;
const STAND_INS = 0x100000;

/**
 * Keeps control tokens that a user's text spells out apart from those that a chat template writes: each such
 * spelling is replaced by one private-use character, which is replaced back after the text is split at control
 * tokens.
 */
export class SpecialTokenEscaping {
  private readonly spelled: RegExp | undefined;
  private readonly standIn = new Map<string, string>();
  private readonly literal: string[] = [];
  /** Number of spellings of control tokens escaped so far. */
  hidden = 0;

  constructor(added: AddedTokens) {
    const special = [...added.byContent.values()].filter((token) => token.special);
    for (const { content } of special) {
      this.standIn.set(content, String.fromCodePoint(STAND_INS + this.literal.length));
      this.literal.push(content);
    }
    this.spelled = added.special;
  }

  /** The text with every control token escaped. Throws UserError if it contains a reserved character. */
  hide(text: string): string {
    return this.hideForeign(text, '\x01'.repeat(text.length), []).text;
  }

  /**
   * The text of a rendered conversation, with those control tokens escaped of which any character does not come
   * from the template (see `Str`), and the spans in it. Throws UserError if it contains a reserved character.
   */
  hideForeign(
    text: string,
    origins: string | undefined,
    spans: readonly Span[],
  ): { text: string; spans: Span[] } {
    const reserved = RESERVED.exec(text)?.[0];
    if (reserved) {
      const code = reserved.codePointAt(0)!.toString(16).toUpperCase();
      throw new UserError(`the private-use character U+${code} is reserved; remove it`);
    }
    if (!this.spelled || origins === undefined) {
      return { text, spans: [...spans] };
    }
    let hidden = '';
    let done = 0;
    /** Ends of placeholders in the text, and by how many characters it is shorter from there on. */
    const shorter: { end: number; by: number }[] = [];
    for (const { 0: token, index } of text.matchAll(this.spelled)) {
      const end = index + token.length;
      if (!/[^\0]/.test(origins.slice(index, end))) {
        continue;
      }
      hidden += text.slice(done, index) + this.standIn.get(token)!;
      done = end;
      shorter.push({ end, by: end - hidden.length });
      this.hidden++;
    }
    if (shorter.length === 0) {
      return { text, spans: [...spans] };
    }
    const place = (at: number): number => at - (shorter.findLast(({ end }) => end <= at)?.by ?? 0);
    return {
      text: hidden + text.slice(done),
      spans: spans.map(({ begin, end }) => ({ begin: place(begin), end: place(end) })),
    };
  }

  /** Whether a text contains an escaped control token. */
  hides(text: string): boolean {
    return RESERVED.test(text);
  }

  /** Reverses `hide`. */
  reveal(text: string): string {
    if (!RESERVED.test(text)) {
      return text;
    }
    return text.replace(/[\u{100000}-\u{107fff}]/gu, (c) => this.literal[c.codePointAt(0)! - STAND_INS] ?? c);
  }
}
