// Reference: llama.cpp, src/llama-vocab.cpp (llm_tokenizer_spm, and where spaces are put before a text).
import { isRecord } from '../../formats/fields.ts';
import { quote } from '../../formats/quote.ts';
import { UserError } from '../../formats/user-error.ts';
import { bool, type MetaValue } from './file.ts';

type JsonObject = Record<string, unknown>;

/** What a GGUF file says of a kind of tokenizer. */
export interface TokenizerKind {
  model: 'gpt2' | 'llama';
  pre: string;
  /** Whether bytes that no token has become tokens of their own. */
  isBytes: boolean;
  extra: [string, MetaValue][];
  notes: string[];
}

/** What else to do about a tokenizer that llama.cpp does not have. */
export const OTHER = 'choose the form merged, or convert that with llama.cpp';

/** SentencePiece's kind: spaces as "▁", and bytes as "<0x0A>". Throws UserError for what llama.cpp does not have. */
export function sentencePiece(json: JsonObject, file: string): TokenizerKind {
  const normalizers = stepsOf(json['normalizer']);
  const splits = stepsOf(json['pre_tokenizer']);
  const other = [...normalizers, ...splits].find((step) => !isKnown(step));
  if (other) {
    throw new UserError(
      `${file}: a tokenizer with byte_fallback that has the step ${quote(other)}, expected those of SentencePiece (a Prepend of "▁", a Replace of spaces by it, Metaspace); ${OTHER}.`,
    );
  }
  const metaspace = splits.find(({ type }) => type === 'Metaspace');
  const scheme = metaspace && (metaspace['prepend_scheme'] ?? 'always');
  const prepends = normalizers.some(({ type }) => type === 'Prepend') || (metaspace && scheme !== 'never');
  return {
    model: 'llama',
    pre: 'default',
    isBytes: true,
    extra: [['tokenizer.ggml.add_space_prefix', bool(Boolean(prepends))]],
    notes: [...spaceNotes(scheme), ...mergeNotes(json['model'] as JsonObject)],
  };
}

/** The steps of a normalizer or pre-tokenizer, in their order. */
export function stepsOf(step: unknown): JsonObject[] {
  if (!isRecord(step)) {
    return [];
  }
  const inner = step['normalizers'] ?? step['pretokenizers'];
  return Array.isArray(inner) ? inner.flatMap(stepsOf) : [step];
}

function isKnown(step: JsonObject): boolean {
  switch (step['type']) {
    case 'Prepend':
      return step['prepend'] === '▁';
    case 'Replace':
      return isRecord(step['pattern']) && step['pattern']['String'] === ' ' && step['content'] === '▁';
    case 'Metaspace':
      return (step['replacement'] ?? '▁') === '▁';
    default:
      return false;
  }
}

/** llama.cpp puts a space before every text that begins a prompt or follows a token of its own. */
function spaceNotes(scheme: unknown): string[] {
  switch (scheme) {
    case undefined:
    case 'never':
      return [];
    case 'first':
      return [
        'llama.cpp puts a space after every added token, and before a text that begins with one already; this tokenizer puts one before other first words only, so a prompt may get other tokens there.',
      ];
    default:
      return [
        'llama.cpp puts a space before a text that begins with one already, as this tokenizer does not; such a text may get other tokens there.',
      ];
  }
}

/** llama.cpp makes a token of any two that spell it, where tokenizer.json lists the pairs. */
function mergeNotes(model: JsonObject): string[] {
  const vocab = model['vocab'] as JsonObject;
  const listed = new Set(pairsOf(model).map(([left, right]) => `${left} ${right}`));
  const lacks = Object.keys(vocab).some((token) => {
    for (let at = 1; at < token.length; at++) {
      const [left, right] = [token.slice(0, at), token.slice(at)];
      if (Object.hasOwn(vocab, left) && Object.hasOwn(vocab, right) && !listed.has(`${left} ${right}`)) {
        return true;
      }
    }
    return false;
  });
  return lacks
    ? [
        'llama.cpp makes a token of any two that spell it, and this tokenizer, which is not one of SentencePiece itself, of some pairs only; a text may get other tokens there.',
      ]
    : [];
}

const pairsOf = (model: JsonObject): (readonly [string, string])[] =>
  (model['merges'] as (string | [string, string])[]).map((merge) =>
    typeof merge === 'string' ? (merge.split(' ') as [string, string]) : merge,
  );

/** The first merge that makes each token. SentencePiece merges by score, and scores fall from merge to merge. */
export function mergeRanks(model: JsonObject): Map<string, number> {
  const ranks = new Map<string, number>();
  for (const [rank, [left, right]] of pairsOf(model).entries()) {
    if (!ranks.has(left + right)) {
      ranks.set(left + right, rank);
    }
  }
  return ranks;
}
