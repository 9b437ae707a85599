// Reference: HF tokenizers, tokenizers/src/normalizers and tokenizers/src/pre_tokenizers.
import type { Normalizer } from '@huggingface/tokenizers';
import {
  type Decoder,
  ReplaceDecoder,
  ReplaceNormalizer,
  SequenceDecoder,
  SequenceNormalizer,
  type Tokenizer,
} from '@huggingface/tokenizers';
import { type Allowance, BoundedRegExp, TooMuchWork } from '../formats/bounded-regexp.ts';
import { type Find, fixPreTokenizer, literal, native } from './pre-tokenizers.ts';

/** Matching steps that a tokenizer's expressions may take, besides those per character of a text. */
const MIN_STEPS = 1e7;
const STEPS_PER_CHARACTER = 100;
/** Maximum growth of a text by normalizers; NFKC turns one character into as many as 18. */
const MAX_GROWTH = 32;
const MIN_LENGTH = 10_000;

/** The normalizers make a text too long. */
class TooLong extends Error {}

/**
 * Expressions of published models, as tokenizer.json spells them: GPT-2's, Llama 3's, Qwen's, GPT-4o's and
 * DeepSeek's. They are known to take linear time, so JavaScript's own engine may run them.
 */
const LINEAR: ReadonlySet<string> = new Set([
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  '\\p{N}{1,3}',
  '[一-龥\u3040-ゟ゠-ヿ]+',
]);

/** The work that a tokenizer's untrusted steps may do on one text. */
export class Bounds {
  readonly allowance: Allowance = { steps: MIN_STEPS };
  #longest = MIN_LENGTH;

  /** A new text; unused allowance of earlier ones carries over, up to a second's work. */
  begin(text: string): void {
    const own = STEPS_PER_CHARACTER * text.length;
    this.allowance.steps = Math.min(this.allowance.steps + own, MIN_STEPS + own);
    this.#longest = MAX_GROWTH * text.length + MIN_LENGTH;
  }

  /** Throws TooLong for more characters than a text may grow to. */
  check(length: number): void {
    if (length > this.#longest) {
      throw new TooLong();
    }
  }
}

/**
 * Bounds the steps of a pipeline whose tokenizer.json was checked, and makes its pre-tokenizers split as Python's
 * do; `config` is that of the pre-tokenizer. Throws PatternError.
 */
export function boundPipeline(
  { normalizer, pre_tokenizer, decoder }: Tokenizer,
  config: Readonly<Record<string, unknown>> | null,
  bounds: Bounds,
): void {
  if (normalizer) {
    boundNormalizer(normalizer, bounds);
  }
  if (pre_tokenizer && config) {
    fixPreTokenizer(pre_tokenizer, config, (step, { pattern, behavior, invert }) => {
      const isLinear = pattern.Regex !== undefined && LINEAR.has(pattern.Regex);
      if (!isLinear) {
        return finder(pattern, step.pattern, bounds);
      }
      // The library's own implementation is the fastest for most models' patterns.
      return behavior === 'Isolated' && invert !== true ? undefined : native(step.pattern!);
    });
  }
  if (decoder) {
    boundDecoder(decoder, bounds);
  }
}

function boundNormalizer(step: Normalizer, bounds: Bounds): void {
  if (step instanceof SequenceNormalizer) {
    for (const inner of step.normalizers) {
      if (inner) {
        boundNormalizer(inner, bounds);
      }
    }
    return;
  }
  const own = step.normalize.bind(step);
  let run = own;
  if (step instanceof ReplaceNormalizer) {
    run = replacer(step.config as ReplaceConfig, step.pattern, bounds);
  } else if (step.config['type'] === 'Strip') {
    run = stripper(step.config as StripConfig);
  }
  step.normalize = (text) => {
    // In Python an empty text has nothing to change, and no beginning to prepend to.
    if (text === '') {
      return '';
    }
    const normal = run(text);
    bounds.check(normal.length);
    return normal;
  };
}

function boundDecoder(step: Decoder, bounds: Bounds): void {
  if (step instanceof SequenceDecoder) {
    for (const inner of step.decoders) {
      if (inner) {
        boundDecoder(inner, bounds);
      }
    }
  } else if (step instanceof ReplaceDecoder) {
    const run = replacer(step.config as ReplaceConfig, step.pattern, bounds);
    step.decode_chain = (tokens) => tokens.map(run);
  }
}

interface Pattern {
  Regex?: string;
  String?: string;
}

interface ReplaceConfig {
  pattern: Pattern;
  content: string;
}

interface StripConfig {
  strip_left: boolean;
  strip_right: boolean;
}

/** Strips white space as Unicode defines it: JavaScript's definition includes U+FEFF and lacks U+0085. */
const stripper =
  ({ strip_left: left, strip_right: right }: StripConfig) =>
  (text: string): string => {
    const begin = left ? /^\p{White_Space}*/u.exec(text)![0].length : 0;
    let end = text.length;
    while (right && end > begin && /\p{White_Space}/u.test(text[end - 1]!)) {
      end--;
    }
    return text.slice(begin, end);
  };

/** All matches of a pattern; `compiled` is the library's translation of it. */
function finder({ String: text }: Pattern, compiled: RegExp | null, { allowance }: Bounds): Find {
  if (text !== undefined) {
    return literal(text);
  }
  const pattern = new BoundedRegExp(compiled!.source, 'u', allowance);
  return function* (text) {
    let done = -1;
    for (let at = 0; at <= text.length && text !== '';) {
      const match = pattern.find(text, at);
      if (!match) {
        return;
      }
      const { begin, end } = match;
      // An empty match right after a match does not count.
      if (end > begin || begin !== done) {
        yield match;
      }
      done = end;
      at = end > begin ? end : end + (text.codePointAt(end)! > 0xffff ? 2 : 1);
    }
  };
}

/** Replaces each match with a literal text: in Python, "$&" is no placeholder. */
function replacer({ pattern, content }: ReplaceConfig, compiled: RegExp | null, bounds: Bounds) {
  const find = finder(pattern, compiled, bounds);
  return (text: string): string => {
    let replaced = '';
    let done = 0;
    for (const { begin, end } of find(text)) {
      replaced += text.slice(done, begin) + content;
      bounds.check(replaced.length);
      done = end;
    }
    return replaced + text.slice(done);
  };
}

/** The message for an error that the tokenizer's steps threw on a text; undefined for any other error. */
export function textProblem(error: unknown): string | undefined {
  if (error instanceof TooMuchWork) {
    return 'its expressions take too much work on a text';
  }
  if (error instanceof TooLong) {
    return `its normalizers make a text more than ${MAX_GROWTH} times as long`;
  }
  return undefined;
}
