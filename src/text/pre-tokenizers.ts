// Reference: HF tokenizers, tokenizers/src/pre_tokenizers and tokenizers/src/tokenizer/normalizer.rs.
import {
  BertPreTokenizer,
  ByteLevelPreTokenizer,
  DigitsPreTokenizer,
  FixedLengthPreTokenizer,
  MetaspacePreTokenizer,
  type PreTokenizer,
  PunctuationPreTokenizer,
  SequencePreTokenizer,
  SplitPreTokenizer,
  WhitespacePreTokenizer,
  WhitespaceSplitPreTokenizer,
} from '@huggingface/tokenizers';

/** What happens to the matched parts of a text, as in Hugging Face's tokenizers library. */
export const BEHAVIORS = [
  'Isolated',
  'Removed',
  'MergedWithPrevious',
  'MergedWithNext',
  'Contiguous',
] as const;
type Behavior = (typeof BEHAVIORS)[number];

export interface Match {
  begin: number;
  end: number;
}

/** Finds a pattern in a text, with bounds or with JavaScript's own engine. */
export type Find = (text: string) => Iterable<Match>;

interface SplitConfig {
  pattern: { Regex?: string; String?: string };
  behavior: Behavior;
  invert?: boolean | null;
}

interface MetaspaceConfig {
  replacement?: string | null;
  prepend_scheme?: 'always' | 'first' | 'never' | null;
  add_prefix_space?: boolean | null;
  split?: boolean | null;
}

const WHITE = /\p{White_Space}+/gu;
const PUNCTUATION = /[\p{P}$+<=>^`|~]/gu;
const DIGIT = /\p{N}/gu;
const WORDS =
  /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\p{White_Space}]+/gu;
/** GPT-2's, with white space as Unicode defines it: JavaScript's definition includes U+FEFF and lacks U+0085. */
const GPT2 =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

/**
 * Makes a pre-tokenizer split as Hugging Face's tokenizers library does, where the JavaScript one differs; `finder`
 * finds the pattern of a Split. `config` is from tokenizer.json.
 */
export function fixPreTokenizer(
  step: PreTokenizer,
  config: Readonly<Record<string, unknown>>,
  finder: (step: SplitPreTokenizer, config: SplitConfig) => Find | undefined,
): void {
  if (step instanceof SequencePreTokenizer) {
    const configs = config['pretokenizers'] as Record<string, unknown>[];
    step.tokenizers.forEach((inner, i) => inner && fixPreTokenizer(inner, configs[i]!, finder));
    fixSequence(step);
  } else if (step instanceof ByteLevelPreTokenizer) {
    step.pattern = GPT2;
  } else {
    const cut = cutter(step, config, finder);
    if (cut) {
      step.pre_tokenize_text = (text, options) => cut(text, options?.section_index === 0);
    }
  }
}

/** The pieces of a text; `first`: whether the whole text begins with it. */
type Cut = (text: string, first: boolean) => string[];

function cutter(
  step: PreTokenizer,
  config: Readonly<Record<string, unknown>>,
  finder: (step: SplitPreTokenizer, config: SplitConfig) => Find | undefined,
): Cut | undefined {
  if (step instanceof SplitPreTokenizer) {
    const { behavior, invert } = config as unknown as SplitConfig;
    const find = finder(step, config as unknown as SplitConfig);
    return find && ((text) => cut(text, find(text), behavior, invert === true));
  }
  if (step instanceof PunctuationPreTokenizer) {
    const behavior = (config['behavior'] ?? 'Isolated') as Behavior;
    return (text) => cut(text, native(PUNCTUATION)(text), behavior);
  }
  if (step instanceof DigitsPreTokenizer) {
    const behavior = config['individual_digits'] === true ? 'Isolated' : 'Contiguous';
    return (text) => cut(text, native(DIGIT)(text), behavior);
  }
  if (step instanceof WhitespaceSplitPreTokenizer) {
    return words;
  }
  if (step instanceof WhitespacePreTokenizer) {
    return (text) => cut(text, native(WORDS)(text), 'Removed', true);
  }
  if (step instanceof BertPreTokenizer) {
    return (text) => words(text).flatMap((word) => cut(word, native(PUNCTUATION)(word), 'Isolated'));
  }
  if (step instanceof FixedLengthPreTokenizer) {
    return (text) => chunks(text, config['length'] as number);
  }
  if (step instanceof MetaspacePreTokenizer) {
    return metaspace(config as MetaspaceConfig);
  }
  return undefined;
}

const words = (text: string): string[] => cut(text, native(WHITE)(text), 'Removed');

function metaspace({
  replacement,
  prepend_scheme: scheme,
  add_prefix_space: prefix,
  split,
}: MetaspaceConfig): Cut {
  const mark = replacement ?? '▁';
  const prepends = scheme ?? (prefix === false ? 'never' : 'always');
  return (text, first) => {
    let spaced = text.replaceAll(' ', mark);
    const prepend = prepends === 'always' || (prepends === 'first' && first);
    if (prepend && !spaced.startsWith(mark)) {
      spaced = mark + spaced;
    }
    return split === false ? [spaced] : cut(spaced, literal(mark)(spaced), 'MergedWithNext');
  };
}

/** Applies steps one after another. The first piece begins the text only while nothing before it was removed. */
function fixSequence(step: SequencePreTokenizer): void {
  step.pre_tokenize_text = (text, options) => {
    let first = options?.section_index === 0;
    let pieces = [text];
    for (const inner of step.tokenizers) {
      if (!inner) {
        continue;
      }
      const before: string | undefined = pieces[0];
      pieces = pieces.flatMap((piece, i) =>
        inner.pre_tokenize_text(piece, { ...options, section_index: first && i === 0 ? 0 : 1 }),
      );
      const adds = inner instanceof MetaspacePreTokenizer || inner instanceof ByteLevelPreTokenizer;
      if (!adds && !before?.startsWith(pieces[0] ?? '')) {
        first = false;
      }
    }
    return pieces;
  };
}

/** Splits a text at its matches or, with `invert`, at what lies between them; no piece is empty. */
export function cut(text: string, matches: Iterable<Match>, behavior: Behavior, invert = false): string[] {
  const spans: (Match & { isMatch: boolean })[] = [];
  let done = 0;
  for (const { begin, end } of matches) {
    if (begin > done) {
      spans.push({ begin: done, end: begin, isMatch: invert });
    }
    spans.push({ begin, end, isMatch: !invert });
    done = end;
  }
  if (done < text.length) {
    spans.push({ begin: done, end: text.length, isMatch: invert });
  }
  return merged(spans, behavior)
    .filter(({ begin, end }) => end > begin)
    .map(({ begin, end }) => text.slice(begin, end));
}

function merged(spans: readonly (Match & { isMatch: boolean })[], behavior: Behavior): Match[] {
  if (behavior === 'Isolated') {
    return [...spans];
  }
  if (behavior === 'Removed') {
    return spans.filter(({ isMatch }) => !isMatch);
  }
  const backwards = behavior === 'MergedWithNext';
  const joined: Match[] = [];
  let wasMatch = false;
  for (const { begin, end, isMatch } of backwards ? spans.toReversed() : spans) {
    const last = joined.at(-1);
    // A match that follows another is separate, unless equal ones are merged.
    const joins = behavior === 'Contiguous' ? isMatch === wasMatch : isMatch && !wasMatch;
    if (!joins || !last) {
      joined.push({ begin, end });
    } else if (backwards) {
      last.begin = begin;
    } else {
      last.end = end;
    }
    wasMatch = isMatch;
  }
  return backwards ? joined.toReversed() : joined;
}

/** The matches of a pattern that is known to be harmless. */
export function native(pattern: RegExp): Find {
  return function* (text) {
    let done = -1;
    for (const { 0: found, index } of text.matchAll(pattern)) {
      const end = index + found.length;
      if (end === index && index === done) {
        continue;
      }
      yield { begin: index, end };
      done = end;
    }
  };
}

/**
 * Occurrences of a text in a text. The empty text occurs before each character and at the end, as an expression
 * would have it.
 */
export function literal(wanted: string): Find {
  return function* (text) {
    if (wanted === '') {
      if (text === '') {
        return;
      }
      let at = 0;
      for (const character of text) {
        yield { begin: at, end: at };
        at += character.length;
      }
      yield { begin: at, end: at };
      return;
    }
    for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + wanted.length)) {
      yield { begin: at, end: at + wanted.length };
    }
  };
}

function chunks(text: string, length: number): string[] {
  const points = [...text];
  const pieces: string[] = [];
  for (let i = 0; i < points.length; i += length) {
    pieces.push(points.slice(i, i + length).join(''));
  }
  return pieces;
}
