// References: transformers 5.24, models/auto/tokenization_auto.py (AutoTokenizer.from_pretrained) and
// models/{gpt2,codegen,qwen2}/tokenization_*.py, whose classes build normalizer and pre-tokenizer themselves.
import { isRecord } from '../formats/fields.ts';

type JsonObject = Record<string, unknown>;

const GPT2 = ['["ByteLevel"]'];
const QWEN2 = [
  '["NFC"]',
  JSON.stringify([
    'Split',
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    'Isolated',
  ]),
];
const OWN = new Map([
  ['GPT2Tokenizer', GPT2],
  ['CodeGenTokenizer', GPT2],
  ['Qwen2Tokenizer', QWEN2],
]);

/**
 * The class of transformers 5 that puts its own normalizer and pre-tokenizer in the place of a tokenizer.json's, if
 * these differ; undefined where transformers splits texts as the file says.
 * `config`: tokenizer_config.json; `modelType`: that of config.json.
 */
export function replacingClass(json: JsonObject, config: JsonObject, modelType: unknown): string | undefined {
  const name = classOf(config['tokenizer_class'], modelType);
  const own = name === undefined ? undefined : OWN.get(name);
  const file = [...stepsOf(json['normalizer']), ...stepsOf(json['pre_tokenizer'])];
  return own && JSON.stringify(own) !== JSON.stringify(file) ? name : undefined;
}

/** The class that AutoTokenizer takes, without "Fast". */
function classOf(named: unknown, modelType: unknown): string | undefined {
  if (modelType === 'qwen2' || (modelType === 'qwen3' && typeof named !== 'string')) {
    return 'Qwen2Tokenizer';
  }
  return typeof named === 'string' ? named.replace(/Fast$/, '') : undefined;
}

/** A normalizer's or pre-tokenizer's steps, each as its type and what of it changes where texts are split. */
function stepsOf(step: unknown): string[] {
  if (!isRecord(step)) {
    return [];
  }
  const inner = step['normalizers'] ?? step['pretokenizers'];
  if (Array.isArray(inner)) {
    return inner.flatMap(stepsOf);
  }
  const { type, pattern, behavior, invert, add_prefix_space: prefix, use_regex: regex } = step;
  if (type === 'ByteLevel') {
    return prefix === true ? ['["ByteLevel","prefix"]'] : regex === false ? [] : ['["ByteLevel"]'];
  }
  if (type === 'Split') {
    const expression = isRecord(pattern) ? pattern['Regex'] : undefined;
    // What is left over by a pattern that matches everything is nothing, so these are the same.
    const cut = behavior === 'Removed' && invert === true ? 'Isolated' : behavior;
    return [JSON.stringify([type, expression, cut])];
  }
  return [JSON.stringify([type])];
}
