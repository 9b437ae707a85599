import { quote } from '../formats/quote.ts';
import { UserError } from '../formats/user-error.ts';

/** A token that is matched in the text before BPE, as listed in tokenizer.json. */
export interface AddedToken {
  id: number;
  content: string;
  /** True for control tokens such as `<|im_end|>`; false for ordinary markup such as `<tool_call>` or `<think>`. */
  special: boolean;
  /** Whether the token consumes white space on its left, or right. */
  lstrip: boolean;
  rstrip: boolean;
  /** Whether it matches only if no letter, digit or underscore is adjacent. */
  singleWord: boolean;
  /** Whether it is matched in the normalized text, after the others. */
  normalized: boolean;
}

/** A stretch [begin, end) of a text, in UTF-16 units: one added token, or the text between two. */
export interface Stretch {
  begin: number;
  end: number;
  token: AddedToken | undefined;
}

/** Replaces control tokens spelled out in a text by placeholders (see `SpecialTokenEscaping`). */
export interface Hiding {
  hides(text: string): boolean;
  reveal(text: string): string;
}

/** Which added tokens are recognized in a text: all, or only those that are not special. */
export type Recognize = 'all' | 'ordinary';

/**
 * Splits texts at added tokens, as the Rust tokenizer does: first at those matched in the text as it is; then, in
 * what is left and after its normalization, at the others. Leftmost first, then longest.
 *
 * Reference: HF tokenizers, tokenizers/src/tokenizer/added_vocabulary.rs.
 */
export class AddedTokens {
  readonly byContent: ReadonlyMap<string, AddedToken>;
  readonly byId: ReadonlyMap<number, AddedToken>;
  /** Matches the special tokens' texts (global); undefined if there are none. */
  readonly special: RegExp | undefined;
  readonly #any: RegExp | undefined;
  readonly #plain: Matcher;
  readonly #normalized: Matcher;
  /** Both kinds are matched in the same text if nothing normalizes it. */
  readonly #together: boolean;

  /**
   * `normalize` is undefined if texts are not normalized. Throws UserError if two tokens normalize to the same
   * text.
   */
  constructor(tokens: readonly AddedToken[], normalize?: (text: string) => string) {
    this.byContent = new Map(tokens.map((token) => [token.content, token]));
    this.byId = new Map(tokens.map((token) => [token.id, token]));
    this.special = anyOf(tokens.filter((token) => token.special).map(({ content }) => content));
    this.#any = anyOf(tokens.map(({ content }) => content));
    const byText = (wanted: readonly AddedToken[], textOf = (content: string) => content) => {
      const found = new Map<string, AddedToken>();
      for (const token of wanted) {
        const text = textOf(token.content);
        const other = found.get(text);
        if (other || text === '') {
          throw clash(token, other);
        }
        found.set(text, token);
      }
      return new Matcher(found);
    };
    this.#plain = byText(tokens.filter((token) => !token.normalized));
    this.#normalized = byText(
      tokens.filter((token) => token.normalized),
      normalize,
    );
    this.#together = normalize === undefined;
  }

  /** The ends of added tokens in a template's text. */
  endsIn(text: string): number[] {
    return [...(this.#any ? text.matchAll(this.#any) : [])].map(
      ({ 0: found, index }) => index + found.length,
    );
  }

  /** Whether some tokens are matched in normalized text, by `splitNormalized`. */
  get looksInNormalized(): boolean {
    return !this.#together && !this.#normalized.isEmpty;
  }

  /** The stretches of a text, in order, apart from tokens matched after normalization; empty ones are omitted. */
  split(text: string, recognize: Recognize, hiding?: Hiding): Stretch[] {
    const stretches = this.#plain.split(text, recognize, hiding);
    if (!this.#together || this.#normalized.isEmpty) {
      return stretches;
    }
    return stretches.flatMap((stretch) => {
      const { begin: from, end: until, token } = stretch;
      if (token) {
        return stretch;
      }
      const inner = this.#normalized.split(text.slice(from, until), recognize, hiding);
      return inner.map(({ begin, end, token }) => ({ begin: from + begin, end: from + end, token }));
    });
  }

  /** The stretches of a normalized text that was between tokens. */
  splitNormalized(text: string, recognize: Recognize, hiding?: Hiding): Stretch[] {
    return this.#normalized.split(text, recognize, hiding);
  }
}

// Word characters and white space as Rust's regular expressions define them.
const ENDS_WITH_WORD = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u;
const BEGINS_WITH_WORD = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;
const IS_SPACE = /\p{White_Space}/u;

class Matcher {
  readonly #byText: ReadonlyMap<string, AddedToken>;
  readonly #pattern: RegExp | undefined;

  constructor(byText: ReadonlyMap<string, AddedToken>) {
    this.#byText = byText;
    this.#pattern = anyOf([...byText.keys()]);
  }

  get isEmpty(): boolean {
    return this.#byText.size === 0;
  }

  split(text: string, recognize: Recognize, hiding?: Hiding): Stretch[] {
    const stretches: Stretch[] = [];
    let done = 0;
    for (const { 0: found, index } of this.#pattern ? text.matchAll(this.#pattern) : []) {
      const token = this.#byText.get(found)!;
      if (token.special && recognize === 'ordinary') {
        continue;
      }
      let begin = Math.max(done, index);
      let end = index + found.length;
      if (token.singleWord && !standsAlone(text, index, end, hiding)) {
        continue;
      }
      if (token.lstrip) {
        while (begin > done && IS_SPACE.test(text[begin - 1]!)) {
          begin--;
        }
      }
      if (token.rstrip) {
        while (end < text.length && IS_SPACE.test(text[end]!)) {
          end++;
        }
      }
      if (begin > done) {
        stretches.push({ begin: done, end: begin, token: undefined });
      }
      // White space consumed by the token before still counts, unless this token consumes to its left too.
      if (begin < end || !token.lstrip) {
        stretches.push({ begin: Math.min(begin, end), end, token });
      }
      done = end;
    }
    if (done < text.length) {
      stretches.push({ begin: done, end: text.length, token: undefined });
    }
    return stretches;
  }
}

/** Whether no word character is adjacent to a part of a text. Surrogate pairs are looked at whole. */
function standsAlone(text: string, begin: number, end: number, hiding: Hiding | undefined): boolean {
  const shown = (part: string): string => hiding?.reveal(part) ?? part;
  return (
    !ENDS_WITH_WORD.test(shown(text.slice(Math.max(0, begin - 2), begin))) &&
    !BEGINS_WITH_WORD.test(shown(text.slice(end, end + 2)))
  );
}

function anyOf(contents: readonly string[]): RegExp | undefined {
  if (contents.length === 0) {
    return undefined;
  }
  const longestFirst = contents.toSorted((a, b) => b.length - a.length);
  return new RegExp(longestFirst.map((c) => c.replace(/[$()*+./?[\\\]^{|}-]/g, '\\$&')).join('|'), 'g');
}

function clash(token: AddedToken, other: AddedToken | undefined): UserError {
  return new UserError(
    `the added token ${quote(token.content)} becomes ${other ? `what ${quote(other.content)} becomes` : 'an empty text'} by the normalizer, so that no text can mean it; remove one, or set its "normalized" to false`,
  );
}
