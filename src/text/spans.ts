import type { Span } from './span.ts';
import type { SpecialTokenEscaping } from './special-token-escaping.ts';
import type { TextTokenizer } from './tokenizer.ts';

/** Token ids, and 1 for each trained target. */
export interface Tokens {
  ids: number[];
  trained: number[];
}

/**
 * Ids of an escaped text (see `SpecialTokenEscaping`): control tokens in it are real, escaped ones stay text. The
 * text between control tokens is encoded whole, so that ids equal Python's for the whole text. A token that crosses
 * a span's border is trained, as in transformers' `return_assistant_tokens_mask`.
 */
export function encodeSpans(
  tokenizer: TextTokenizer,
  escaping: SpecialTokenEscaping,
  text: string,
  spans: readonly Span[],
): Tokens {
  const ids: number[] = [];
  const trained: number[] = [];
  /** The first span that does not end before the stretch. */
  let next = 0;
  for (const { begin, end, token } of tokenizer.added.split(text, 'all', escaping)) {
    const encode = (until: number): number[] =>
      tokenizer.encodePlain(text.slice(begin, until), begin === 0, 'all', escaping);
    const own = token ? [tokenizer.addedId(token)] : encode(end);
    const flags = own.map(() => 0);
    while (next < spans.length && spans[next]!.end <= begin) {
      next++;
    }
    for (let i = next; i < spans.length && spans[i]!.begin < end; i++) {
      const span = spans[i]!;
      const first = token || span.begin <= begin ? 0 : sharedStart(own, encode(span.begin));
      let last = own.length;
      if (!token && span.end < end) {
        const before = encode(span.end);
        const shared = sharedStart(own, before);
        last = shared < before.length ? shared + 1 : shared;
      }
      flags.fill(1, first, last);
    }
    for (const id of own) {
      ids.push(id);
    }
    for (const flag of flags) {
      trained.push(flag);
    }
  }
  return { ids, trained };
}

/** Length of the common prefix of two lists. */
function sharedStart<T>(a: ArrayLike<T>, b: ArrayLike<T>): number {
  let n = 0;
  while (n < a.length && n < b.length && a[n] === b[n]) {
    n++;
  }
  return n;
}
