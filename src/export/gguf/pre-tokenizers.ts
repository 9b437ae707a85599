// References: llama.cpp, src/llama-vocab.cpp (what each name splits by) and conversion/base.py (the names).
import { isRecord } from '../../formats/fields.ts';

type JsonObject = Record<string, unknown>;

/** English contractions, in any case. */
const CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const after = (digits: string): string =>
  `${CONTRACTIONS}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;
const LETTERS = '[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]';
const SMALL = '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]';
const cased = (contractions: string, digits: string): string =>
  `[^\\r\\n\\p{L}\\p{N}]?${LETTERS}*${SMALL}+${contractions}|[^\\r\\n\\p{L}\\p{N}]?${LETTERS}+${SMALL}*${contractions}|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;

/** llama.cpp's names by the steps of a tokenizer.json; `whole`: whether words in the vocabulary are taken unmerged. */
const KNOWN: readonly { name: string; steps: readonly string[]; whole: boolean }[] = [
  { name: 'llama-bpe', steps: [after('\\p{N}{1,3}')], whole: true },
  { name: 'smaug-bpe', steps: [after('\\p{N}{1,3}')], whole: false },
  { name: 'qwen2', steps: [after('\\p{N}')], whole: false },
  { name: 'gpt-2', steps: ['GPT-2'], whole: false },
  { name: 'smollm', steps: ['digits', 'GPT-2'], whole: false },
  { name: 'tekken', steps: [cased('', '\\p{N}')], whole: true },
  { name: 'gpt-4o', steps: [cased(`${CONTRACTIONS}?`, '\\p{N}{1,3}')], whole: false },
];

/** llama.cpp's name of the pre-tokenizer of a byte-level tokenizer.json; undefined if it has none. */
export function preTokenizerName(json: JsonObject): string | undefined {
  const steps = stepsOf(json['pre_tokenizer']);
  const model = json['model'] as JsonObject;
  const whole = model['ignore_merges'] === true;
  const found = KNOWN.filter((known) => JSON.stringify(known.steps) === JSON.stringify(steps));
  return found.find((known) => known.whole === whole)?.name;
}

/** What a pre-tokenizer splits by; undefined for a step that no name of llama.cpp has here. */
function stepsOf(step: unknown): string[] | undefined {
  if (!isRecord(step)) {
    return undefined;
  }
  switch (step['type']) {
    case 'Sequence': {
      const steps = (step['pretokenizers'] as unknown[]).map(stepsOf);
      return steps.every((one) => one !== undefined) ? steps.flat() : undefined;
    }
    case 'Split': {
      const { pattern, behavior, invert } = step;
      const regex = isRecord(pattern) ? pattern['Regex'] : undefined;
      // What is left over by a pattern that matches everything is nothing, so these are the same.
      const isolates = behavior === 'Isolated' || (behavior === 'Removed' && invert === true);
      return typeof regex === 'string' && isolates ? [regex] : undefined;
    }
    case 'Digits':
      return step['individual_digits'] === true ? ['digits'] : undefined;
    case 'ByteLevel':
      if (step['add_prefix_space'] === true) {
        return undefined;
      }
      return step['use_regex'] === false ? [] : ['GPT-2'];
    default:
      return undefined;
  }
}
