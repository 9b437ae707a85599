/** A token that is matched in the text before any BPE, as tokenizer.json lists it. */
export interface AddedToken {
  id: number;
  content: string;
  /** Control tokens such as `<|im_end|>`; false for ordinary markup such as `<tool_call>` or `<think>`. */
  special: boolean;
  /** The token swallows the white space on its left, or right. */
  lstrip: boolean;
  rstrip: boolean;
}

/** A stretch [begin, end) of a text, in UTF-16 units: one added token, or text between them. */
export interface Stretch {
  begin: number;
  end: number;
  token: AddedToken | undefined;
}

/** Which added tokens are recognised in a text: all of them, or only those that are special, or not. */
export type Recognise = 'all' | 'special' | 'ordinary';

/** Cuts texts at added tokens: leftmost first, then longest, as the Rust tokenizer does. */
export class AddedTokens {
  readonly byContent: ReadonlyMap<string, AddedToken>;
  readonly byId: ReadonlyMap<number, AddedToken>;
  private readonly patterns: Record<Recognise, RegExp | undefined>;

  constructor(tokens: readonly AddedToken[]) {
    this.byContent = new Map(tokens.map((token) => [token.content, token]));
    this.byId = new Map(tokens.map((token) => [token.id, token]));
    this.patterns = {
      all: anyOf(tokens),
      special: anyOf(tokens.filter((token) => token.special)),
      ordinary: anyOf(tokens.filter((token) => !token.special)),
    };
  }

  /** Finds the tokens' texts (global); undefined where there are none. */
  pattern(recognise: Recognise): RegExp | undefined {
    return this.patterns[recognise];
  }

  /** The text's stretches in order; empty ones are left out. */
  split(text: string, recognise: Recognise): Stretch[] {
    const pattern = this.pattern(recognise);
    const stretches: Stretch[] = [];
    let done = 0;
    for (const match of pattern ? text.matchAll(pattern) : []) {
      const token = this.byContent.get(match[0])!;
      let begin = Math.max(done, match.index);
      let end = match.index + match[0].length;
      if (token.lstrip) begin = done + text.slice(done, begin).trimEnd().length;
      if (token.rstrip) end = text.length - text.slice(end).trimStart().length;
      if (begin > done) stretches.push({ begin: done, end: begin, token: undefined });
      stretches.push({ begin, end, token });
      done = end;
    }
    if (done < text.length) stretches.push({ begin: done, end: text.length, token: undefined });
    return stretches;
  }
}

function anyOf(tokens: readonly AddedToken[]): RegExp | undefined {
  const contents = tokens.map((token) => token.content).filter((content) => content !== '');
  if (contents.length === 0) return undefined;
  const longestFirst = contents.toSorted((a, b) => b.length - a.length);
  return new RegExp(longestFirst.map((c) => c.replace(/[$()*+./?[\\\]^{|}-]/g, '\\$&')).join('|'), 'g');
}
